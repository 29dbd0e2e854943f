// Package sim is an emulated shop: the real daemon, printers that speak the
// real wire protocol, and terminals that speak the real contract. The demo and
// the end-to-end tests run in it, and both end by comparing three books: what
// the terminals were told, what the journal holds, what the tax office sees.
package sim
