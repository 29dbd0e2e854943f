package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"kassad/daemon/book"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// Operations of reconciliation. An import is on the control socket only.
const (
	opReconcile       = "reconcile"
	opReconcileImport = "reconcile-import"
)

// ReconcileRequest asks for a report, for a kept one, or for the list.
type ReconcileRequest struct {
	// Device names one device or cloud; all of them when absent.
	Device string `json:"device,omitempty"`
	// Shift is one shift of the device.
	Shift uint32 `json:"shift,omitempty"`
	// Since and Until are a period: times with a zone, or days, which are whole
	// and included. When absent, the last 24 hours.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// List asks for the list of kept reports, the newest first.
	List bool `json:"list,omitempty"`
	// ID asks for a kept report; the word last is the newest.
	ID string `json:"id,omitempty"`
	// Full asks for the report whole, even if it does not fit into a message.
	Full bool `json:"full,omitempty"`
}

// ReconcileImport asks for a report against a book.
type ReconcileImport struct {
	Device  string       `json:"device,omitempty"`
	Since   string       `json:"since,omitempty"`
	Until   string       `json:"until,omitempty"`
	File    string       `json:"file"` // name, for the report
	Text    []byte       `json:"text"`
	Columns book.Columns `json:"columns,omitempty"` // over the configured ones
}

// reportLast names the newest report.
const reportLast = "last"

// reconcileListMax is how many reports a list has.
const reconcileListMax = 500

// reconcile carries out the operation.
func (d *Daemon) reconcile(ctx context.Context, by string, body json.RawMessage) (any, error) {
	var req ReconcileRequest
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	if req.List || req.ID != "" {
		return QueryReports(d.spool, req)
	}
	o := reconcileOrder{why: fiscal.ReportCommand, by: by, device: req.Device, shift: req.Shift}
	var err error
	switch {
	case req.Shift != 0 && (req.Since != "" || req.Until != ""):
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "shift", "name a shift or a period, not both")
	case req.Shift != 0:
		o.device, err = d.oneRegister(req.Device)
	default:
		err = d.reconcilePeriod(&o, req.Since, req.Until)
	}
	if err != nil {
		return nil, err
	}
	report, err := d.reconciler.make(ctx, o)
	if err != nil {
		return nil, err
	}
	return renderReport(report, req.Full), nil
}

func renderReport(report fiscal.Report, full bool) mqtt.Reconciliation {
	wire := mqtt.NewReconciliation(report)
	if full {
		return wire
	}
	return wire.Fit()
}

// reconcilePeriod fills in the period of an order and checks its backend.
func (d *Daemon) reconcilePeriod(o *reconcileOrder, since, until string) (err error) {
	if o.device != "" && d.workers[o.device] == nil {
		_, err := d.workerOf(o.device)
		return err
	}
	if o.since, err = parseEdge("since", since, 0); err != nil {
		return err
	}
	if o.until, err = parseEdge("until", until, 1); err != nil {
		return err
	}
	if o.book == nil && o.until.IsZero() {
		o.until = time.Now()
	}
	if o.book == nil && o.since.IsZero() {
		o.since = o.until.Add(-reconcileDay)
	}
	if !o.until.IsZero() && !o.since.IsZero() && !o.since.Before(o.until) {
		return fiscal.Refuse(fiscal.CodeBadValue, "since", "the period ends before it begins")
	}
	return nil
}

// parseEdge reads a time, or a day of which days more is the edge; zero for "".
func parseEdge(field, text string, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		return day, fiscal.Refuse(fiscal.CodeBadValue, field, fmt.Sprintf("%.40q: give a day such as 2026-11-22 or a time such as 2026-11-22T10:00:00+03:00", text))
	}
	return day.AddDate(0, 0, days), nil
}

// oneRegister is the register of a shift: the named one, or the only one.
func (d *Daemon) oneRegister(name string) (string, error) {
	if name == "" && len(d.cfg.Devices) == 1 {
		name = d.cfg.Devices[0].Name
	}
	w, err := d.workerOf(name)
	if err != nil {
		return "", err
	}
	if w.cloud != nil {
		return "", fiscal.Refuse(fiscal.CodeUnsupported, "shift", "a service has no shifts of its own here: name a period")
	}
	return w.cfg.Name, nil
}

// reconcileImport carries out the operation of the control socket.
func (d *Daemon) reconcileImport(ctx context.Context, by string, body json.RawMessage) (any, error) {
	var req ReconcileImport
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	columns := book.Columns{}
	for _, table := range []book.Columns{d.cfg.Reconcile.Columns, req.Columns} {
		for field, title := range table {
			columns[field] = title
		}
	}
	b, err := book.Parse(filepath.Base(req.File), req.Text, columns)
	if err != nil {
		return nil, err
	}
	o := reconcileOrder{why: fiscal.ReportCommand, by: by, device: req.Device, book: &importedBook{b}}
	if err := d.reconcilePeriod(&o, req.Since, req.Until); err != nil {
		return nil, err
	}
	report, err := d.reconciler.make(ctx, o)
	if err != nil {
		return nil, err
	}
	return renderReport(report, true), nil
}

// QueryReports answers what is kept: the list, or one report.
func QueryReports(s *spool.Spool, req ReconcileRequest) (any, error) {
	var result any
	err := s.View(func(tx *spool.Tx) error {
		if req.List {
			reports, err := tx.Reports(reconcileListMax)
			items := make([]mqtt.ReconciliationItem, 0, len(reports))
			for _, r := range reports {
				items = append(items, mqtt.NewReconciliationItem(r))
			}
			result = map[string][]mqtt.ReconciliationItem{"reports": items}
			return err
		}
		id := req.ID
		if id == reportLast {
			id = ""
		}
		r, found, err := tx.Report(id)
		if err == nil && !found {
			err = fiscal.Refuse(fiscal.CodeNotFound, "id", req.ID)
		}
		result = renderReport(r, req.Full)
		return err
	})
	return result, err
}
