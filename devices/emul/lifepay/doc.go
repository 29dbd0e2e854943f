// Package lifepay emulates the LIFE PAY cloud print service: receipts,
// corrections, shifts and reports over HTTP, virtual printers with fiscal
// storages of package fn, callbacks, and faults on request.
//
// It is written from the project's LIFE PAY reference alone ("section n" in
// comments means that reference) and must not import the driver it faces: a
// shared misunderstanding should need two mistakes. Most of that reference is
// second-hand. Where it is silent, [Options] has a switch and a driver has to
// pass with every setting.
//
//	s := lifepay.New(lifepay.Config{})
//	defer s.Close()
//	srv := httptest.NewServer(s)       // or http.Server
//	s.Fail(lifepay.Fault{Kind: lifepay.FaultCutAfter, ExtID: "payment-1"})
//	s.Ledger()                         // what the tax office sees
//
// It is a test tool for our own driver. That a driver passes here proves
// nothing about the real service. Nothing it makes is a fiscal document.
//
// Bills, transactions, the catalogue and acquiring (sections 7 to 13) are not
// part of it.
package lifepay
