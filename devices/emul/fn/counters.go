package fn

import "kassad/fiscal/ffd"

// Totals are the figures of one settlement sign (format reference 5.4).
// Corrections are in them too.
type Totals struct {
	Count     uint32
	Sum       int64
	Cash      int64
	Card      int64
	Prepaid   int64
	Credit    int64
	Provision int64
	// VAT is by rate code, tag 1199: tax, but turnover for codes 5 and 6. Slot
	// 0 is unused.
	VAT [13]int64
}

// Correction counts correction receipts of one sign.
type Correction struct {
	Count uint32
	Sum   int64
}

// Counters are the totals of a shift or of the storage's life, by settlement
// sign 1..4; index 0 is unused.
type Counters struct {
	Operations  [5]Totals
	Corrections [5]Correction
}

// Count is the number of receipts and corrections.
func (c Counters) Count() uint32 {
	var n uint32
	for _, o := range c.Operations {
		n += o.Count
	}
	return n
}

// CorrectionCount is the number of corrections.
func (c Counters) CorrectionCount() uint32 {
	var n uint32
	for _, o := range c.Corrections {
		n += o.Count
	}
	return n
}

// ShiftCounters are the totals of the current or last shift.
func (s *Storage) ShiftCounters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.ShiftCounters
}

// TotalCounters are the totals of the storage's life.
func (s *Storage) TotalCounters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.TotalCounters
}

func (c *Counters) add(kind Kind, close Closing, fields []ffd.Field) {
	o := &c.Operations[close.Operation]
	o.Count++
	o.Sum += close.Total
	for tag, to := range map[ffd.Tag]*int64{
		ffd.TagCash: &o.Cash, ffd.TagCard: &o.Card, ffd.TagPrepaid: &o.Prepaid, ffd.TagCredit: &o.Credit, ffd.TagProvision: &o.Provision,
	} {
		if f, ok := ffd.Find(fields, tag); ok {
			*to += number(f)
		}
	}
	for code, sum := range receiptVAT(fields) {
		o.VAT[code] += sum
	}
	if kind == KindCorrection {
		c.Corrections[close.Operation].Count++
		c.Corrections[close.Operation].Sum += close.Total
	}
}

// receiptVAT collects the tax of a receipt by rate code, from the six old tags
// and from 1115 (format reference 2.1).
func receiptVAT(fields []ffd.Field) map[byte]int64 {
	out := map[byte]int64{}
	for code, tag := range map[byte]ffd.Tag{
		1: ffd.TagVAT20, 2: ffd.TagVAT10, 3: ffd.TagVAT120, 4: ffd.TagVAT110, 5: ffd.TagTurnover0, 6: ffd.TagTurnoverNone,
	} {
		if f, ok := ffd.Find(fields, tag); ok {
			out[code] += number(f)
		}
	}
	sums, _ := ffd.Find(fields, ffd.TagVATSums)
	for _, f := range sums.Fields {
		rate, _ := ffd.Find(f.Fields, ffd.TagVATRate)
		amount, _ := ffd.Find(f.Fields, ffd.TagVATAmount)
		if code := number(rate); code >= 1 && code <= 12 {
			out[byte(code)] += number(amount)
		}
	}
	return out
}

// tlv is the body of 1194 and 1157.
func (c Counters) tlv() []byte {
	b := ffd.AppendUint32(nil, 1134, c.Count())
	for i, tag := range []ffd.Tag{1129, 1130, 1131, 1132} {
		b = ffd.Append(b, tag, c.Operations[i+1].tlv())
	}
	corrections := ffd.AppendUint32(nil, 1144, c.CorrectionCount())
	for i, tag := range []ffd.Tag{1145, 1232, 1146, 1233} {
		v := c.Corrections[i+1]
		corrections = ffd.Append(corrections, tag, ffd.AppendVLN(ffd.AppendUint32(nil, 1135, v.Count), 1201, uint64(v.Sum)))
	}
	return ffd.Append(b, 1133, corrections)
}

func (t Totals) tlv() []byte {
	b := ffd.AppendUint32(nil, 1135, t.Count)
	for _, v := range []struct {
		tag ffd.Tag
		sum int64
	}{
		{1201, t.Sum}, {1136, t.Cash}, {1138, t.Card}, {1218, t.Prepaid}, {1219, t.Credit}, {1220, t.Provision},
		{1139, t.VAT[1]}, {1140, t.VAT[2]}, {1141, t.VAT[3]}, {1142, t.VAT[4]}, {1143, t.VAT[5]}, {1183, t.VAT[6]},
	} {
		b = ffd.AppendVLN(b, v.tag, uint64(v.sum))
	}
	return b
}
