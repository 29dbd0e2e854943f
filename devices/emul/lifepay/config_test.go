package lifepay

import "testing"

func TestConfigWithWrongWords(t *testing.T) {
	t.Parallel()
	with := func(p Printer) Config { return Config{Accounts: []Account{{Printers: []Printer{p}}}} }
	for name, cfg := range map[string]Config{
		"tax": {Options: Options{Taxes: []string{"vat21"}}}, "default tax": with(Printer{DefaultTax: "20"}), "format": with(Printer{FFD: "1.1"}),
		"tax system": with(Printer{TaxSystems: []string{"usn"}}), "state": with(Printer{State: "tired"}),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			New(cfg).Close()
		}()
	}
}
