package shtrih

import (
	"context"
	"testing"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

// The answer of the close is lost and the link with it: Find proves the
// document, or its absence, from the storage.
func TestFindAfterLostAnswers(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"8Dh", "FF0C", "FF46", "89h", "FF76"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := coffee()
				base := mustPrepare(t, d, doc)
				s.hook = func(name string) bool { return name != at }
				_, err := d.Submit(context.Background(), doc, base)
				wantError(t, err, fiscal.CodePrinterAway, fiscal.OutcomeUnknown)
				s.hook = nil
				v := mustFind(t, d, doc, base)
				if at == "FF76" {
					if v.Finding != fiscal.Made || v.Receipt.FD != 101 || v.Receipt.Number != 4 || v.Receipt.Shift != 7 || v.Receipt.Key != doc.Key {
						t.Errorf("%s %+v", v.Finding, v.Receipt)
					}
				} else if v.Finding != fiscal.Absent || s.mode != modeShift || s.fnDocument != 0 {
					t.Errorf("%s, mode %d", v.Finding, s.mode)
				}
				if s.count("FF76") > 1 {
					t.Errorf("close sent %d times", s.count("FF76"))
				}
			})
		})
	}
}

// keyed is a stored document's tag with a key.
func keyed(k string) []byte {
	b, _ := ffd.AppendText(nil, ffd.TagReceiptExtra, k)
	return b
}

func TestFindForeign(t *testing.T) {
	t.Parallel()
	ours := coffee().Key
	for _, c := range []struct {
		name string
		docs []storedDocument
		want fiscal.Finding
		code fiscal.Code
	}{
		{"ours", []storedDocument{{form: 3, kind: 1, total: 40000, tlv: keyed(ours)}}, fiscal.Made, ""},
		{"ours after others", []storedDocument{{form: 21, tlv: keyed("")}, {form: 3, kind: 1, total: 5, tlv: keyed("other")}, {form: 3, kind: 1, total: 40000, tlv: keyed(ours)}}, fiscal.Made, ""},
		{"key with another total", []storedDocument{{form: 3, kind: 1, total: 40001, tlv: keyed(ours)}}, fiscal.Foreign, fiscal.CodeClosedByOther},
		{"key with another kind", []storedDocument{{form: 3, kind: 2, total: 40000, tlv: keyed(ours)}}, fiscal.Foreign, fiscal.CodeClosedByOther},
		{"same total without key", []storedDocument{{form: 3, kind: 1, total: 40000, tlv: keyed("x")}}, fiscal.Foreign, fiscal.CodeClosedByOther},
		{"short form cannot disprove", []storedDocument{{form: 3, kind: 1, total: 7}}, fiscal.Foreign, fiscal.CodeClosedByOther},
		{"twice", []storedDocument{{form: 3, kind: 1, total: 40000, tlv: keyed(ours)}, {form: 3, kind: 1, total: 40000, tlv: keyed(ours)}}, fiscal.Foreign, fiscal.CodeClosedByOther},
		{"somebody else's", []storedDocument{{form: 3, kind: 1, total: 7, tlv: keyed("other")}}, fiscal.Absent, ""},
		{"nothing", nil, fiscal.Absent, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, coffee())
				for _, doc := range c.docs {
					s.store(doc)
				}
				if v := mustFind(t, d, coffee(), base); v.Finding != c.want || v.Code != c.code {
					t.Errorf("%s %s, want %s %s", v.Finding, v.Code, c.want, c.code)
				}
			})
		})
	}
}

// The report of the shift is there: by us if it is the next document, by
// somebody else if others stand before it.
func TestFindShiftReport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before []storedDocument
		by     string
	}{
		"the next document":    {nil, ""},
		"after another's sale": {[]storedDocument{{form: 3, kind: 1, total: 7}}, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				doc := fiscal.Document{ID: "c", Verb: fiscal.VerbShiftClose}
				base := mustPrepare(t, d, doc)
				for _, d := range append(c.before, storedDocument{form: 5, shift: s.shift}) {
					s.store(d)
				}
				s.mode = modeClosed
				v := mustFind(t, d, doc, base)
				if v.Finding != fiscal.Made || v.Receipt.By != c.by || v.Receipt.FD != s.lastFD {
					t.Errorf("%s %+v, want by %q", v.Finding, v.Receipt, c.by)
				}
			})
		})
	}
}

func TestFindOpenReceipt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(s *script)
		want fiscal.Finding
	}{
		{"just opened", func(s *script) {}, fiscal.Absent},
		{"first line", func(s *script) { s.operations, s.sum = 1, 30000 }, fiscal.Absent},
		{"both lines", func(s *script) { s.operations, s.sum = 2, 40000 }, fiscal.Absent},
		{"another sum", func(s *script) { s.operations, s.sum = 1, 30001 }, fiscal.Foreign},
		{"too many lines", func(s *script) { s.operations, s.sum = 3, 40000 }, fiscal.Foreign},
		{"another kind", func(s *script) { s.opened = 2 }, fiscal.Foreign},
		{"another operator", func(s *script) { s.refuse["88h"] = []byte{errOtherOperator, errOtherOperator} }, fiscal.Foreign},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				base := mustPrepare(t, d, coffee())
				s.mode, s.fnDocument = modeDocument, 4
				c.set(s)
				v := mustFind(t, d, coffee(), base)
				if v.Finding != c.want {
					t.Errorf("%s, want %s", v.Finding, c.want)
				}
				if c.want == fiscal.Foreign && (v.Code != fiscal.CodeForeignReceipt || s.mode != modeDocument) {
					t.Errorf("code %s, mode %d", v.Code, s.mode)
				}
			})
		})
	}
}

// Without a mark a document is known by kind and total only. It is not believed
// while a receipt is open: that may be ours, and the document its twin.
func TestFindTwinOfAnOpenReceipt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(s *script)
		want fiscal.Finding
	}{
		{"nothing is open", func(*script) {}, fiscal.Made},
		{"a receipt is open", func(s *script) { s.mode, s.fnDocument = modeDocument, 4 }, fiscal.Foreign},
		{"a close is executing", func(s *script) { s.mode, s.fnDocument, s.submode = modeDocument, 4, submodePrinting }, fiscal.Busy},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, s *script, d *Driver) {
				d.opt.Mark = MarkNone
				base := mustPrepare(t, d, coffee())
				s.store(storedDocument{form: 3, kind: 1, total: 40000})
				c.set(s)
				v := mustFind(t, d, coffee(), base)
				if v.Finding != c.want || c.want == fiscal.Foreign && v.Code != fiscal.CodeClosedByOther {
					t.Errorf("%s %s, want %s", v.Finding, v.Code, c.want)
				}
				if s.count("88h") != 0 {
					t.Error("a receipt was cancelled")
				}
			})
		})
	}
}

// A close that ends between the readings is found by the second one (R5b).
func TestFindSecondReading(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		tlv, _ := ffd.AppendText(nil, ffd.TagReceiptExtra, doc.Key)
		polls := 0
		s.hook = func(name string) bool {
			if name == "10h" {
				if polls++; polls == 2 {
					s.store(storedDocument{form: 3, kind: 1, total: 40000, tlv: tlv})
				}
			}
			return true
		}
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Busy {
			t.Fatalf("%s", v.Finding)
		}
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made {
			t.Errorf("%s", v.Finding)
		}
	})
}

func TestFindOtherStorage(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		base := mustPrepare(t, d, coffee())
		s.fn = "9999078900099999"
		if v := mustFind(t, d, coffee(), base); v.Finding != fiscal.OtherStorage {
			t.Errorf("FN: %s", v.Finding)
		}
		s.fn = base.Storage
		s.lastFD--
		if v := mustFind(t, d, coffee(), base); v.Finding != fiscal.Foreign || v.Code != fiscal.CodeNeedsPerson {
			t.Errorf("storage went back: %s %s", v.Finding, v.Code)
		}
	})
}

func TestFindPaper(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, s *script, d *Driver) {
		doc := coffee()
		base := mustPrepare(t, d, doc)
		r, err := d.Submit(context.Background(), doc, base)
		if err != nil {
			t.Fatal(err)
		}
		s.submode = submodePaperEnded
		v := mustFind(t, d, doc, base)
		if v.Finding != fiscal.Made || !v.Receipt.Unprinted || v.Receipt.FD != r.FD {
			t.Errorf("paper ended: %s %+v", v.Finding, v.Receipt)
		}
		s.submode = submodeContinue
		if v := mustFind(t, d, doc, base); v.Finding != fiscal.Made || s.count("B0h") != 1 {
			t.Errorf("paper back: %s, log %v", v.Finding, s.log)
		}
		s.submode = submodePaperEnded
		base = mustPrepareAt(s, base)
		if _, err := d.Find(context.Background(), fiscal.Ref{Document: doc, Baseline: base}); fiscal.AsError(err, "").Code != fiscal.CodePaperOut {
			t.Errorf("undecidable without paper: %v", err)
		}
	})
}

// mustPrepareAt moves a baseline to now without asking the device.
func mustPrepareAt(s *script, base fiscal.Baseline) fiscal.Baseline {
	base.LastFD, base.Receipt = s.lastFD, uint32(s.receipt)
	return base
}
