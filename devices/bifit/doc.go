// Package bifit makes receipts through BIFIT fiscal processing, a cloud
// register. "Reference" and numbers in comments are those of the vendor
// reference kept with the project.
//
// Much of the interface was not recovered from the vendor's pages. Every token,
// address and field name is a row of one table (table.go) with a mark that says
// how sure it is, and each can be replaced by Options.Tokens.
//
// Where the parts of a document go:
//
//	kind                 type
//	taxation             taxSystem; Options.Taxation where the document has none
//	cashier              cashier.name (Options.Cashier where there is none), cashier.inn
//	customer             client.address
//	line                 items[]: calculationMethod paymentSubject name price quantity vat total
//	payments             payments, without zero amounts; cash is net of change
//	total                total
//	Options.Place        paymentAddress, on every receipt
//
// Not sent, and nothing is lost by it: the tax of a line (the register computes
// it), department 1 (all goods of a shop without departments), the change, the
// wish not to print, our key of tag 1192 (Idempotency-Key is what we are found
// by).
//
// Refused by Check, since there is no field to carry it: agents and suppliers,
// marked goods and the other subjects from 20 on, corrections, the buyer's name
// and INN, additional texts of the receipt and of items, departments from 2 on,
// sales on the internet with their place, quantities with more than three
// decimals, and a receipt of 0.00, which has no payment to name. Cash and shift
// documents do not exist: the service keeps the shifts by itself.
//
// The unit of measure has no known field either, but receipts without one are
// taken (reference 5.7), quantities have decimals, and goods sold by weight
// must be sellable. So the unit is left out, and price and quantity stay those
// of the document. Options.StrictUnits refuses such lines instead, and the
// token "field.unit", once the name is known, sends it as a number of tag 2108.
package bifit
