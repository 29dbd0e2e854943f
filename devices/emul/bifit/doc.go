// Package bifit emulates the Fiscal Processing of BIFIT Online: tokens,
// registration of receipts, the document by its id, reload, and behind them
// cloud registers with the storage model of package fn.
//
// It is written from the project's BIFIT reference alone ("section n" in
// comments means that reference) and must not import the client that it faces:
// a shared misunderstanding should need two mistakes. Much of the real
// interface is unknown; what the reference assumes stands with its marks in one
// [Table]. So this is a test tool for our own client, and never proof of how
// the real service behaves. It must never stand in for one: nothing that it
// makes is fiscal.
//
//	s := bifit.New(bifit.Config{})
//	defer s.Close()
//	server := httptest.NewServer(s)
//	s.Fail(bifit.Fault{On: bifit.OnRegister, Do: bifit.Cut{}})
//	s.Ledger()                     // what the tax office sees
//
// A person reaches the same switches with curl, where somebody mounts them:
//
//	mux.Handle("/", s)
//	mux.Handle(bifit.ControlPath, s.Control())
//
// There is no goroutine inside. Documents move when somebody looks: every call
// first brings the service up to its clock, so that a test which moves the
// clock needs no waiting.
package bifit
