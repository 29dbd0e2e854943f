package daemon

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kassad/devices/link"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/owner"
	"kassad/spool"
)

// Operations are what a manager may ask for over MQTT and on the control socket.
var Operations = []string{"status", "doctor", "logs", "restart", "detect", "backup", "set-time", "config-get", "resolve", opReload, opReconcile}

// opSpool serves kassad spool; it is on the control socket only.
const opSpool = "spool"

// manage carries out one operation. Every call is in the audit stream, the
// refused ones too.
func (d *Daemon) manage(ctx context.Context, op, by, via string, body json.RawMessage) (any, *fiscal.Error) {
	result, err := d.operate(ctx, op, by, body)
	var refusal *fiscal.Error
	if err != nil {
		refusal = fiscal.AsError(err, fiscal.CodeBadRequest)
	}
	if refusal != nil && refusal.Code == fiscal.CodeBadValue { // whose words are for who rings up a sale
		plain := *refusal
		plain.Code = fiscal.CodeBadRequest
		refusal = &plain
	}
	outcome := "done"
	if refusal != nil {
		outcome = string(refusal.Code)
	}
	d.log.Info("management", "op", op, "by", by, "via", via, "outcome", outcome)
	d.audit(mqtt.AuditEvent{Op: op, By: by, Via: via, Outcome: outcome, Body: auditBody(op, body)})
	return result, refusal
}

// afterAnswer does what would keep the answer from leaving.
func (d *Daemon) afterAnswer(op string, refusal *fiscal.Error) {
	if op == "restart" && refusal == nil {
		d.requestRestart()
	}
}

// auditBody keeps what a decision was about, and leaves out bulk.
func auditBody(op string, body json.RawMessage) json.RawMessage {
	if op != "resolve" && op != opReload && op != "set-time" && op != "restart" {
		return nil
	}
	return body
}

func (d *Daemon) operate(ctx context.Context, op, by string, body json.RawMessage) (any, error) {
	if by == "" {
		return nil, fiscal.Refuse(fiscal.CodeNoRight, "by", "a management call names the person who makes it")
	}
	switch op {
	case "status":
		return d.Status(), nil
	case "doctor":
		return d.doctor(ctx), nil
	case "logs":
		return d.lastLogs(body)
	case "restart":
		return map[string]string{"restart": "after the receipt in hand"}, nil
	case "detect":
		return d.detect()
	case "backup":
		return d.backup()
	case "set-time":
		return d.setTime(ctx, body)
	case "config-get":
		return d.cfg.tree()
	case "resolve":
		return d.resolve(by, body)
	case opReconcile:
		return d.reconcile(ctx, by, body)
	case opReconcileImport:
		return d.reconcileImport(ctx, by, body)
	case opReload:
		return d.bifitReload(by, body)
	case opSpool:
		return d.spoolQuery(body)
	default:
		return nil, fiscal.Refuse(fiscal.CodeUnknownVerb, "op", fmt.Sprintf("operations are %v", Operations))
	}
}

// strictly decodes a body; an empty one is {}.
func strictly(body json.RawMessage, v any) error {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fiscal.Refuse(fiscal.CodeBadValue, "body", err.Error())
	}
	return nil
}

func (d *Daemon) lastLogs(body json.RawMessage) (any, error) {
	req := struct {
		Lines int `json:"lines"`
	}{Lines: 200}
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	lines := d.ring.last(min(max(req.Lines, 1), logLines))
	size := 0
	for i := len(lines) - 1; i >= 0; i-- { // the newest that fit into a message
		if size += len(lines[i]) + logLineOverhead; size > logBytesMax {
			lines = lines[i+1:]
			break
		}
	}
	return map[string][]string{"lines": lines}, nil
}

// Limits of the operation "logs", whose answer has to fit into 256 KiB with its
// quotes escaped.
const (
	logBytesMax     = 100_000
	logLineOverhead = 4
)

// detect lists the ports of this computer beside the configured devices.
func (d *Daemon) detect() (any, error) {
	ports, err := link.Ports()
	if err != nil {
		return nil, fiscal.Fail(fiscal.OutcomeRejected, fiscal.CodePrinterFault, err)
	}
	return map[string]any{"ports": ports, "devices": d.Status().Devices}, nil
}

// backup copies the journal while it is in use.
func (d *Daemon) backup() (any, error) {
	dir := filepath.Join(d.cfg.DataDir, "backup")
	if err := os.MkdirAll(dir, dataDirMode); err != nil {
		return nil, fiscal.Fail(fiscal.OutcomeRejected, fiscal.CodeStoreFault, err)
	}
	owner.InheritPath(dir)
	path := filepath.Join(dir, "kassad-"+time.Now().UTC().Format("20060102T150405.000")+".db")
	sum, size, err := d.copyStore(path)
	if err != nil {
		return nil, fiscal.Fail(fiscal.OutcomeRejected, fiscal.CodeStoreFault, err)
	}
	return map[string]any{"file": path, "bytes": size, "sha256": sum}, nil
}

// copyStore leaves a whole copy under a name that nothing has yet, or nothing of
// its own: what is there is the copy of another request of the same moment.
func (d *Daemon) copyStore(path string) (sum string, size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	owner.Inherit(f)
	hash := sha256.New()
	if size, err = d.spool.Backup(io.MultiWriter(f, hash)); err != nil {
		return "", 0, err
	}
	if err := f.Sync(); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(hash.Sum(nil)), size, nil
}

// setTime sets a device's clock to the host's. The register refuses it while a
// shift is open, and so do we, before asking.
func (d *Daemon) setTime(ctx context.Context, body json.RawMessage) (any, error) {
	var req struct {
		Device string `json:"device"`
	}
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	w, err := d.workerOf(req.Device)
	if err != nil {
		return nil, err
	}
	setter, ok := w.backend.(fiscal.ClockSetter)
	if !ok {
		return nil, fiscal.Refuse(fiscal.CodeUnsupported, "device", "its clock cannot be set from here")
	}
	at, err := ask(ctx, w, func(ctx context.Context) (time.Time, error) {
		st, err := w.backend.Status(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if st.Shift.Open {
			return time.Time{}, fiscal.Refuse(fiscal.CodeShiftIsOpen, "", "close the shift first")
		}
		at := time.Now()
		return at, setter.SetClock(ctx, wallClock(at))
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"device": w.cfg.Name, "clock": at.Format(time.DateTime)}, nil
}

// resolve is a person's decision about a held command, or about which of two
// nodes of one name is the right one.
func (d *Daemon) resolve(by string, body json.RawMessage) (any, error) {
	var req struct {
		ID     string        `json:"id"`
		Action fiscal.Action `json:"action"`
		FD     uint32        `json:"fd"`
		Note   string        `json:"note"`
		Node   string        `json:"node"`
	}
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	if req.Node == "keep" {
		d.rivals.choose()
		return map[string]string{"node": "this one goes on"}, nil
	}
	actions := []fiscal.Action{fiscal.ResolveRetry, fiscal.ResolveAsCorrection, fiscal.ResolveDoneElsewhere, fiscal.ResolveGiveUp}
	if !slices.Contains(actions, req.Action) {
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "action", fmt.Sprintf("one of %v", actions))
	}
	if req.FD == 0 && (req.Action == fiscal.ResolveDoneElsewhere || req.Action == fiscal.ResolveAsCorrection) {
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "fd", "name the document that settles it")
	}
	r, err := d.journal.resolve(req.ID, fiscal.Resolution{Action: req.Action, By: by, FD: req.FD, Note: req.Note, At: time.Now()})
	if err != nil {
		return nil, err
	}
	d.handOver(r)
	return json.RawMessage(mqtt.EncodeAnswer(r, false)), nil
}

// spoolQuery serves kassad spool while the daemon has the file.
func (d *Daemon) spoolQuery(body json.RawMessage) (any, error) {
	var req SpoolQuery
	if err := strictly(body, &req); err != nil {
		return nil, err
	}
	return QuerySpool(d.spool, req)
}

// SpoolQuery asks about the journal: "ls" (a state or what is not final),
// "show" (an id), "check" or "backup".
type SpoolQuery struct {
	Action string `json:"action"`
	ID     string `json:"id,omitempty"`
	State  string `json:"state,omitempty"`
	Limit  int    `json:"limit,omitempty"`
}

// spoolListMax bounds a listing.
const spoolListMax = 1000

// QuerySpool answers q from s.
func QuerySpool(s *spool.Spool, q SpoolQuery) (any, error) {
	switch q.Action {
	case "ls":
		return listSpool(s, q)
	case "show":
		var r fiscal.Record
		err := s.View(func(tx *spool.Tx) error {
			found := false
			var err error
			if r, found, err = tx.ByID(q.ID); err == nil && !found {
				err = fiscal.Refuse(fiscal.CodeNotFound, "id", q.ID)
			}
			return err
		})
		return withoutRequest(r), err
	case "check":
		faults, err := s.Check()
		return map[string]any{"faults": faults}, err
	case "backup":
		name, err := s.BackupFile()
		return map[string]any{"backup": name}, err
	default:
		return nil, fiscal.Refuse(fiscal.CodeBadValue, "action", "ls, show, check or backup")
	}
}

// listSpool lists what is not final, or the newest records of one state.
func listSpool(s *spool.Spool, q SpoolQuery) (records []fiscal.Record, err error) {
	limit := q.Limit
	if limit <= 0 || limit > spoolListMax {
		limit = spoolListMax
	}
	err = s.View(func(tx *spool.Tx) error {
		records = nil
		if q.State != "" && fiscal.State(q.State).Final() {
			return eachRecord(tx, func(r fiscal.Record) {
				if r.State == fiscal.State(q.State) {
					records = append(records, r)
				}
			})
		}
		devices, err := tx.Devices()
		if err != nil {
			return err
		}
		for _, dev := range devices {
			queue, err := tx.Queue(dev)
			if err != nil {
				return err
			}
			records = append(records, slices.DeleteFunc(queue, func(r fiscal.Record) bool {
				return q.State != "" && r.State != fiscal.State(q.State)
			})...)
		}
		return nil
	})
	slices.SortFunc(records, func(a, b fiscal.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	records = records[max(0, len(records)-limit):]
	for i := range records {
		records[i] = withoutRequest(records[i])
	}
	return records, err
}

// withoutRequest leaves out what goes to a cloud: it says nothing that the
// document does not say, but for the token of its callback.
func withoutRequest(r fiscal.Record) fiscal.Record {
	if r.Baseline != nil && r.Baseline.Cloud != nil {
		base, call := *r.Baseline, *r.Baseline.Cloud
		call.Body, base.Cloud = nil, &call
		r.Baseline = &base
	}
	return r
}

// eachRecord walks the whole journal.
func eachRecord(tx *spool.Tx, visit func(fiscal.Record)) error {
	for after := uint64(0); ; {
		page, err := tx.Records(after, spoolListMax)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			visit(r)
		}
		after = page[len(page)-1].Seq
	}
}

// Records is the whole journal, for tests and the demo.
func (d *Daemon) Records() (all []fiscal.Record, err error) {
	err = d.spool.View(func(tx *spool.Tx) error {
		all = nil
		return eachRecord(tx, func(r fiscal.Record) { all = append(all, r) })
	})
	return all, err
}

// Record reads the command of an id; false if the journal has none.
func (d *Daemon) Record(id string) (fiscal.Record, bool, error) { return d.journal.byID(id) }
