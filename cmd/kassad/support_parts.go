package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"kassad/daemon"
	"kassad/daemon/service"
	"kassad/devices/detect"
	"kassad/fiscal"
)

// logBytesMax is the most of a log file that is read.
const logBytesMax = 4 << 20

// journalTimeout bounds the wait for the system's journal.
const journalTimeout = 20 * time.Second

func pretty(v any) (string, error) {
	var b bytes.Buffer
	err := printJSON(&b, v)
	return b.String(), err
}

func (ev *evidence) versions() (string, error) {
	host := map[string]any{"kassad": thisBuild(), "system": systemVersion(), "cpus": runtime.NumCPU(), "now": time.Now().Format(time.RFC3339)}
	return pretty(host)
}

func (ev *evidence) configuration() (string, error) {
	tree := masked(ev.cfg)
	if ev.err != nil && tree == nil {
		return "", ev.err
	}
	if l, ok := tree["lifepay"].(map[string]any); ok && l["login"] != nil {
		l["login"] = hiddenText
	}
	text, err := toml.Marshal(tree)
	return string(text), errors.Join(ev.err, err)
}

// asked puts a question to the daemon.
func (ev *evidence) asked(op string, body any) (string, error) {
	if ev.err != nil {
		return "", ev.err
	}
	raw, err := ask(ev.env, ev.cfg, op, operator(), body)
	if err != nil {
		return "", err
	}
	return pretty(raw)
}

func (ev *evidence) status() (string, error) { return ev.asked("status", nil) }

func (ev *evidence) doctor() (string, error) {
	checks, err := (&doctorCommand{configFlag: ev.cmd.configFlag}).examine(ev.env)
	if err != nil {
		return "", err
	}
	return pretty(checks)
}

func (ev *evidence) spoolCheck() (string, error) {
	if ev.err != nil {
		return "", ev.err
	}
	raw, err := querySpool(ev.env, ev.cmd.configFlag, daemon.SpoolQuery{Action: "check"})
	if err != nil {
		return "", err
	}
	return pretty(raw)
}

// commands are those that are open, and the newest of each end.
func (ev *evidence) commands() (string, error) {
	if ev.err != nil {
		return "", ev.err
	}
	all := map[string]any{}
	for _, state := range []fiscal.State{"", fiscal.Done, fiscal.Rejected, fiscal.Cancelled, fiscal.Abandoned} {
		raw, err := querySpool(ev.env, ev.cmd.configFlag, daemon.SpoolQuery{Action: "ls", State: string(state), Limit: ev.cmd.Records})
		if err != nil {
			return "", err
		}
		var records any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&records); err != nil {
			return "", err
		}
		name := string(state)
		if name == "" {
			name = "open"
		}
		all[name] = withoutPeople(records)
	}
	return pretty(all)
}

func (ev *evidence) ports() (string, error) {
	around := detect.System()
	places, err := around.Places(nil)
	around.Use(places)
	rows := []portRow{}
	for _, p := range places {
		rows = append(rows, newPortRow(p))
	}
	text, perr := pretty(rows)
	return text, errors.Join(err, perr)
}

func (ev *evidence) service() (string, error) {
	m, err := service.NewManager(service.Settings{Name: service.DefaultName})
	if err != nil {
		return "", err
	}
	s, err := m.Status()
	if err != nil {
		return "", err
	}
	return pretty(s)
}

// dataDir lists the files, and opens none.
func (ev *evidence) dataDir() (string, error) {
	if ev.err != nil {
		return "", ev.err
	}
	var b strings.Builder
	err := filepath.WalkDir(ev.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // it has gone meanwhile
		}
		fmt.Fprintf(&b, "%s %12d %s %s\n", info.Mode(), info.Size(), info.ModTime().Format(time.RFC3339), path)
		return nil
	})
	return b.String(), err
}

// logs are the daemon's own last lines, its file, and the system's journal,
// whichever there are.
func (ev *evidence) logs() (string, error) {
	var b strings.Builder
	part := func(title, text string, err error) {
		if err != nil {
			text = err.Error() + "\n"
		}
		fmt.Fprintf(&b, "== %s\n%s\n", title, text)
	}
	var answer struct {
		Lines []string `json:"lines"`
	}
	raw, err := ev.asked("logs", map[string]int{"lines": ev.cmd.Lines})
	if err == nil {
		err = json.Unmarshal([]byte(raw), &answer)
	}
	part("the running kassad", strings.Join(answer.Lines, "\n"), err)
	file := filepath.Join(daemon.DefaultConfig().DataDir, "logs", "kassad.log")
	if text, err := os.ReadFile(file); !errors.Is(err, fs.ErrNotExist) {
		part(file, lastLines(string(text[max(0, len(text)-logBytesMax):]), ev.cmd.Lines), err)
	}
	if path, err := exec.LookPath("journalctl"); err == nil {
		ctx, cancel := context.WithTimeout(ev.env.ctx, journalTimeout)
		defer cancel()
		text, err := exec.CommandContext(ctx, path, "-u", service.DefaultName, "-n", strconv.Itoa(ev.cmd.Lines), "--no-pager", "-o", "short-iso").Output()
		part("journalctl -u kassad", string(text), err)
	}
	return b.String(), nil
}

// lastLines are the last n lines of text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n-1):], "")
}
