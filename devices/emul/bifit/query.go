package bifit

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// find is the document of an id, nil if there is none.
func (s *Service) find(id string) *document {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return nil
	}
	return s.byID(n)
}

func (s *Service) byID(n uint64) *document {
	i := n - s.cfg.FirstID
	if n < s.cfg.FirstID || i >= uint64(len(s.st.documents)) {
		return nil
	}
	return s.st.documents[i]
}

// documentCall is the document by id (sections 7 and 14.6).
func (s *Service) documentCall(c *call) answer {
	owner, a := s.authorize(c)
	if owner == nil {
		return a
	}
	d := s.find(c.PathValue("id"))
	if d == nil || d.owner != owner || take(&d.plan.missing) {
		return refuse(http.StatusNotFound, RefusalMissing, "no such document")
	}
	c.entry.Document = d.id
	a = answer{status: http.StatusOK}
	a.json(s.view(d))
	return a
}

// view is the document as the answer shows it.
func (s *Service) view(d *document) map[string]any {
	v := view{table: &s.cfg.Table, out: map[string]any{}}
	v.set(FieldID, d.id)
	v.set(FieldType, d.receipt.kind)
	v.set(FieldTotal, json.Number(d.receipt.total.String()))
	v.set(FieldCreated, d.created.UnixMilli())
	v.set(FieldChanged, d.changed.UnixMilli())
	status := s.cfg.Table.Statuses.Token(int(d.status))
	if take(&d.plan.wrongFor) {
		v.set(FieldStatus, d.plan.wrongToken)
		return v.out
	}
	v.set(FieldStatus, status)
	if d.status == StatusError {
		v.set(FieldErrorCode, s.cfg.Table.Causes.Token(int(d.cause)))
		v.set(FieldErrorText, d.cause.text())
	}
	if m, ok := d.final(); ok && !take(&d.plan.late) {
		v.fiscal(m)
	}
	return v.out
}

// text is what a person reads in the account.
func (c Cause) text() string {
	switch c {
	case CauseFault:
		return "Неисправность ККТ"
	case CauseData:
		return "Неверные данные в чеке"
	case CauseLicence:
		return "Истекла лицензия"
	case CauseStorage:
		return "Исчерпан лимит чеков ФН"
	default:
		return ""
	}
}

// view builds the answer by the names of the table.
type view struct {
	table *Table
	out   map[string]any
}

// set puts a value at the path of a field; dots go into inner objects.
func (v view) set(f Field, value any) {
	path := strings.Split(v.table.Fields.Token(int(f)), ".")
	o := v.out
	for _, name := range path[:len(path)-1] {
		inner, ok := o[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			o[name] = inner
		}
		o = inner
	}
	if last := path[len(path)-1]; last != "" {
		o[last] = value
	}
}

func (v view) fiscal(m made) {
	r := m.storage.Registration()
	v.set(FieldFN, m.storage.Serial())
	v.set(FieldFD, m.doc.Number)
	v.set(FieldFP, fmt.Sprintf("%010d", m.doc.Sign))
	v.set(FieldShift, m.doc.Shift)
	v.set(FieldReceipt, m.doc.Receipt)
	v.set(FieldTime, m.doc.Time.Format("2006-01-02T15:04:05"))
	v.set(FieldRNM, r.RNM)
	v.set(FieldSerial, m.serial)
	v.set(FieldOFDName, r.OFDName)
	v.set(FieldOFDINN, r.OFDINN)
	v.set(FieldSite, fnsSite)
}

// reloadCall sends failed documents to their queues again (section 14.6).
func (s *Service) reloadCall(c *call) answer {
	owner, a := s.authorize(c)
	if owner == nil {
		return a
	}
	if token := c.Header.Get("Broker-token"); token == "" || token != owner.BrokerToken {
		if s.cfg.Rules.BrokerUnauthorized {
			return refuse(http.StatusUnauthorized, RefusalAccess, "bad broker token")
		}
		return refuse(http.StatusForbidden, RefusalAccess, "bad broker token")
	}
	ids, wrong := s.readIDs(c.body)
	if wrong != "" {
		return badRequest("", wrong)
	}
	var found []*document
	for _, id := range ids {
		switch d := s.byID(id); {
		case d != nil && d.owner == owner:
			found = append(found, d)
		case !s.cfg.Rules.SkipUnknown:
			return refuse(http.StatusNotFound, RefusalMissing, "no document "+strconv.FormatUint(id, 10))
		}
	}
	for _, d := range found {
		s.reload(d, c.now)
	}
	s.settle(c.now)
	return answer{status: http.StatusOK}
}

// readIDs reads the array of a reload.
func (s *Service) readIDs(body []byte) (ids []uint64, wrong string) {
	v, err := parseJSON(body)
	list, ok := v.([]any)
	if err != nil || !ok || len(list) == 0 {
		return nil, "send an array of ids"
	}
	for _, one := range list {
		text, quoted := one.(string)
		if n, ok := one.(json.Number); ok {
			text = string(n)
		}
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil || quoted && !s.cfg.Rules.QuotedIDs {
			return nil, "ids are numbers"
		}
		ids = append(ids, id)
	}
	return ids, ""
}
