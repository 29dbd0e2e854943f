package fn

import (
	"slices"
	"time"

	"kassad/fiscal/ffd"
)

// Entry is one document as the tax office reads it.
type Entry struct {
	FD        uint32
	FP        uint32
	Form      Form
	Time      time.Time
	Shift     uint16
	Receipt   uint16 // number in shift, tag 1042
	Operation byte   // tag 1054
	Total     int64  // tag 1020

	Cash      int64 // 1031
	Card      int64 // 1081
	Prepaid   int64 // 1215
	Credit    int64 // 1216
	Provision int64 // 1217

	Items []Item
	// VAT by rate code, tag 1199: tax, but turnover for codes 5 and 6.
	VAT map[byte]int64

	Taxation   byte   // 1055
	Cashier    string // 1021
	CashierINN string // 1203
	INN        string // 1018
	RNM        string // 1037
	Storage    string // 1041
	FFD        byte   // 1209
	Contact    string // 1008
	Place      string // 1187
	Address    string // 1009
	Extra      string // 1192
	Attribute  Attribute
	Buyer      Buyer
	Internet   bool // 1125

	Correction *CorrectionInfo // forms 31 only

	ReceiptsInShift  uint32 // 1118, form 5 only
	DocumentsInShift uint32 // 1111, form 5 only

	Fields []ffd.Field // everything, as stored
}

// Item is one line, tag 1059.
type Item struct {
	Name        string
	Price       int64
	Quantity    int64 // millionths
	Sum         int64
	VATCode     byte // 1199
	VATSum      int64
	Method      byte   // 1214
	Subject     byte   // 1212
	Unit        byte   // 2108
	UnitText    string // 1197
	Code        []byte // 1162
	Extra       string // 1191
	Agent       byte   // 1222
	SupplierINN string // 1226
	Supplier    string // 1225
	Phones      []string
	Country     string // 1230
	Customs     string // 1231
	Excise      int64  // 1229
	Fields      []ffd.Field
}

// Attribute is the user attribute, tag 1084.
type Attribute struct{ Name, Value string }

// Buyer is 1256, or 1227 and 1228 in formats before 1.2.
type Buyer struct{ Name, INN string }

// CorrectionInfo is 1173 and 1174.
type CorrectionInfo struct {
	Type   byte
	Date   time.Time
	Number string
}

// Ledger lists all documents in order. The slice is the caller's; what its
// entries point to is shared and must not be changed.
func (s *Storage) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger)
}

// LedgerSince lists the documents with numbers above fd.
func (s *Storage) LedgerSince(fd uint32) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger[min(int(fd), len(s.ledger)):])
}

// Receipts lists the receipts and corrections only.
func (s *Storage) Receipts() []Entry {
	return slices.DeleteFunc(s.Ledger(), func(e Entry) bool { return e.Form != FormReceipt && e.Form != FormCorrection })
}

// reader looks up tags at one level of a document.
type reader []ffd.Field

func (r reader) text(t ffd.Tag) string {
	f, _ := ffd.Find(r, t)
	return f.Text()
}

func (r reader) number(t ffd.Tag) int64 {
	f, _ := ffd.Find(r, t)
	return number(f)
}

func (r reader) inner(t ffd.Tag) reader {
	f, _ := ffd.Find(r, t)
	return f.Fields
}

// entry decodes a document from its data, not from what made it: the ledger
// must show what was really stored.
func (s *Storage) entry(d Document) Entry {
	fields, _ := ffd.Decode(d.Data)
	r := reader(fields)
	e := Entry{
		FD: uint32(r.number(ffd.TagDocument)), FP: d.Sign, Form: d.Form, Shift: uint16(r.number(ffd.TagShift)),
		Receipt: uint16(r.number(ffd.TagReceipt)), Operation: byte(r.number(ffd.TagSettlementSign)), Total: r.number(ffd.TagTotal),
		Cash: r.number(ffd.TagCash), Card: r.number(ffd.TagCard), Prepaid: r.number(ffd.TagPrepaid),
		Credit: r.number(ffd.TagCredit), Provision: r.number(ffd.TagProvision),
		VAT: receiptVAT(fields), Taxation: byte(r.number(ffd.TagTaxation)), Cashier: r.text(ffd.TagCashier),
		CashierINN: r.text(ffd.TagCashierINN), INN: r.text(ffd.TagUserINN), RNM: r.text(ffd.TagRegistration),
		Storage: r.text(ffd.TagStorage), FFD: byte(r.number(ffd.TagFFDVersion)), Contact: r.text(ffd.TagBuyerContact),
		Place: r.text(ffd.TagSettlementPlace), Address: r.text(ffd.TagSettlementAddress), Extra: r.text(ffd.TagReceiptExtra),
		Internet:        r.number(ffd.TagInternet) == 1,
		ReceiptsInShift: uint32(r.number(ffd.TagShiftReceipts)), DocumentsInShift: uint32(r.number(ffd.TagShiftDocuments)),
		Fields: fields,
	}
	if at, ok := ffd.Find(fields, ffd.TagDateTime); ok {
		e.Time, _ = at.Time(d.Time.Location())
	}
	attribute := r.inner(ffd.TagUserAttribute)
	e.Attribute = Attribute{attribute.text(ffd.TagUserAttributeName), attribute.text(ffd.TagUserAttributeText)}
	buyer := r.inner(ffd.TagBuyerInfo)
	if buyer == nil {
		buyer = r
	}
	e.Buyer = Buyer{buyer.text(ffd.TagBuyerName), buyer.text(ffd.TagBuyerINN)}
	if d.Form == FormCorrection {
		e.Correction = correctionInfo(r, d.Time.Location())
	}
	for _, f := range fields {
		if f.Tag == ffd.TagItem {
			e.Items = append(e.Items, item(f.Fields))
		}
	}
	return e
}

func correctionInfo(r reader, loc *time.Location) *CorrectionInfo {
	c := &CorrectionInfo{Type: byte(r.number(ffd.TagCorrectionType))}
	basis := r.inner(ffd.TagCorrectionBasis)
	c.Number = basis.text(ffd.TagCorrectionNumber)
	if f, ok := ffd.Find(basis, ffd.TagCorrectionDate); ok {
		c.Date, _ = f.Time(loc)
	}
	return c
}

func item(fields []ffd.Field) Item {
	r := reader(fields)
	i := Item{
		Name: r.text(ffd.TagItemName), Price: r.number(ffd.TagItemPrice), Sum: r.number(ffd.TagItemSum),
		VATCode: byte(r.number(ffd.TagVATRate)), VATSum: r.number(ffd.TagItemVAT), Method: byte(r.number(ffd.TagMethod)),
		Subject: byte(r.number(ffd.TagSubject)), Unit: byte(r.number(ffd.TagUnit)), UnitText: r.text(ffd.TagUnitText),
		Extra: r.text(ffd.TagItemExtra), Agent: byte(r.number(ffd.TagItemAgent)), SupplierINN: r.text(ffd.TagSupplierINN),
		Country: r.text(1230), Customs: r.text(1231), Excise: r.number(1229), Fields: fields,
	}
	if f, ok := ffd.Find(fields, ffd.TagQuantity); ok {
		i.Quantity = millionths(f)
	}
	if f, ok := ffd.Find(fields, ffd.TagItemCode); ok {
		i.Code = f.Value
	}
	supplier := r.inner(ffd.TagSupplierData)
	i.Supplier = supplier.text(ffd.TagSupplierName)
	for _, f := range supplier {
		if f.Tag == ffd.TagSupplierPhone {
			i.Phones = append(i.Phones, f.Text())
		}
	}
	return i
}

// millionths reads FVLN; decimals beyond the sixth do not occur in the format.
func millionths(f ffd.Field) int64 {
	decimals, v, err := f.Decimal()
	if err != nil || v > 1<<53 {
		return 0
	}
	n := int64(v)
	for ; decimals < 6 && n < 1<<58; decimals++ {
		n *= 10
	}
	for ; decimals > 6; decimals-- {
		n /= 10
	}
	return n
}
