// Package shtrih emulates a Shtrih-M printer (ККТ with ФН) byte by byte: link
// protocol 1.0, commands, tables, registers, paper, power, and faults on
// request. Under it works the storage model of package fn.
//
// It is written from the vendor's documents, as collected in the project's
// Shtrih-M reference ("section n" in comments means that reference), and must
// not import the driver it faces: a shared misunderstanding should need two
// mistakes.
//
//	p := shtrih.New(shtrih.Config{Serial: "0000000000000001"})
//	go p.Serve(ctx, conn)          // any stream: net.Pipe, TCP, pty
//	p.Inject(shtrih.Fault{When: shtrih.Command(0xFF45), Do: shtrih.ExecuteThenCut{}})
//	p.Storage().Ledger()           // what the tax office sees
//
// Receipts it prints say that they are not fiscal documents.
package shtrih
