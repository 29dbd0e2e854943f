package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"kassad/daemon/book"
	"kassad/fiscal"
)

// The control socket is the same management as over MQTT, for who may open a
// file of the service's user on this computer.
const (
	controlName    = "control.sock"
	controlTimeout = 2 * time.Minute // set-time and doctor talk to devices
	controlBodyMax = 1 << 20
	importBodyMax  = 2 * book.SizeMax // a file in base64
)

// controlReply is what the socket answers: a result or an error.
type controlReply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  *fiscal.Error   `json:"error,omitempty"`
}

// listenControl opens the socket.
func (d *Daemon) listenControl() (net.Listener, error) {
	path := ControlPath(d.cfg)
	if d.opt.Network.Listen != nil {
		return d.opt.Network.Listen("unix", path)
	}
	l, err := openControl(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// serveControl answers until ctx ends.
func (d *Daemon) serveControl(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{op}", d.control)
	mux.HandleFunc("GET /progress", d.controlProgress)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: controlTimeout}
	// Who asked for a restart is answered before it happens.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-closed
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

func (d *Daemon) control(w http.ResponseWriter, r *http.Request) {
	bodyMax := int64(controlBodyMax)
	if r.PathValue("op") == opReconcileImport {
		bodyMax = importBodyMax
	}
	var req controlRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax)).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), manageTimeout(r.PathValue("op")))
	defer cancel()
	var reply controlReply
	result, refusal := d.manage(ctx, r.PathValue("op"), req.By, "control", req.Body)
	if refusal != nil {
		reply.Error = refusal
	} else {
		reply.Result, _ = json.Marshal(result)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(reply)
	http.NewResponseController(w).Flush()
	d.afterAnswer(r.PathValue("op"), refusal)
}

// manageTimeout is how long an operation may take: a reconciliation reads
// fiscal storages.
func manageTimeout(op string) time.Duration {
	if op == opReconcile || op == opReconcileImport {
		return reconcileTimeout
	}
	return controlTimeout
}

// controlProgress tells how far the reconciliation in hand is.
func (d *Daemon) controlProgress(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(controlReply{Result: d.reconciler.progress()})
}

type controlRequest struct {
	By   string          `json:"by"`
	Body json.RawMessage `json:"body,omitempty"`
}

// ErrNotRunning says that no daemon serves the data directory.
var ErrNotRunning = errors.New("kassad is not running here")

// ErrSilent says that a daemon has the data directory, and hangs.
var ErrSilent = errors.New("kassad runs here and does not answer")

// controlPatience is how long a daemon may take for an answer that needs neither
// the journal nor a device.
const controlPatience = 10 * time.Second

// Control asks the running daemon of cfg. The error is ErrNotRunning, ErrSilent, a
// *fiscal.Error, or what went wrong on the way.
func Control(ctx context.Context, cfg Config, op, by string, body any) (json.RawMessage, error) {
	if err := controlAlive(ctx, cfg, controlPatience); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	payload, _ := json.Marshal(controlRequest{By: by, Body: raw})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://kassad/"+op, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	return controlCall(cfg, req)
}

// controlAlive tells a daemon that hangs from one that has much to do. The hung one
// takes connections, too: the system does that for it.
func controlAlive(ctx context.Context, cfg Config, patience time.Duration) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := ControlProgress(within, cfg)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w within %s", ErrSilent, patience)
	}
	return err
}

// ControlProgress asks how far the reconciliation in hand is; nil if none is
// being made.
func ControlProgress(ctx context.Context, cfg Config) (*ReconcileProgress, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kassad/progress", nil)
	if err != nil {
		return nil, err
	}
	raw, err := controlCall(cfg, req)
	if err != nil || raw == nil {
		return nil, err
	}
	var p *ReconcileProgress
	return p, json.Unmarshal(raw, &p)
}

// controlCall makes one call over the socket of cfg.
func controlCall(cfg Config, req *http.Request) (json.RawMessage, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialControl(ctx, ControlPath(cfg))
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return nil, fmt.Errorf("%w (%w)", ErrNotRunning, err)
	case err != nil:
		return nil, fmt.Errorf("control: %w", err)
	}
	defer resp.Body.Close()
	var reply controlReply
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return nil, fmt.Errorf("control %s: %w", strings.TrimPrefix(req.URL.Path, "/"), err)
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return reply.Result, nil
}
