// Package ffd holds the fiscal data format (ФФД): tag numbers, the TLV
// encoding that fiscal storages (ФН) speak, and its CP866 text.
//
// Source: order of ФНС ЕД-7-20/662@ as transcribed in the project's format
// reference, section 1.1 (encoding) and 1.3 (tags). The package knows bytes
// and numbers only; what a receipt means lives in package fiscal.
package ffd
