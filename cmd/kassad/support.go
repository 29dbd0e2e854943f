package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kassad/daemon"
	"kassad/daemon/secretfile"
)

type supportCommand struct {
	configFlag
	jsonFlag
	langFlag
	Out     string `short:"o" help:"The archive; without it kassad-support-TIME.zip in the folder for temporary files." placeholder:"FILE" type:"path"`
	Records int    `help:"How many commands of each state, the newest." default:"100" placeholder:"100"`
	Lines   int    `help:"How many lines of each log, the newest." default:"1000" placeholder:"1000"`
}

// Help ends the help of support.
func (supportCommand) Help() string {
	return `Configuration, status, doctor, check of the journal, the newest commands and log lines, ports, versions: one
archive to send. Passwords, keys, tokens and hashes are taken out, and so are phones, e-mails, names of buyers and
cashiers, and free texts. Nothing is sent anywhere. What cannot be learned is told in its place.

Examples:
  kassad support
  kassad support --out support.zip --records 20
  kassad support --out support.zip --json`
}

// entry is one file of the archive.
type entry struct {
	name   string
	ru, en string
	make   func(*evidence) (string, error)
}

// entries are what support asks for first.
var entries = []entry{
	{"version.json", "версии kassad и системы", "versions of kassad and of the system", (*evidence).versions},
	{"config.toml", "настройка без секретов", "configuration without secrets", (*evidence).configuration},
	{"status.json", "состояние ККТ, очереди, предупреждения", "printers, queue, alerts", (*evidence).status},
	{"doctor.json", "проверки kassad doctor", "checks of kassad doctor", (*evidence).doctor},
	{"spool-check.json", "проверка журнала", "check of the journal", (*evidence).spoolCheck},
	{"commands.json", "последние команды без данных покупателей", "the newest commands without data of buyers", (*evidence).commands},
	{"ports.json", "порты", "ports", (*evidence).ports},
	{"service.json", "служба системы", "service of the system", (*evidence).service},
	{"data-dir.txt", "имена и размеры файлов данных", "names and sizes of files of data", (*evidence).dataDir},
	{"log.txt", "последние строки журнала работы", "the newest lines of the log", (*evidence).logs},
}

// supportRow is a file of the archive as scripts read it.
type supportRow struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	About string `json:"about"`
	Error string `json:"error,omitempty"`
}

// Run writes the archive.
func (c *supportCommand) Run(e *env) error {
	out := cmp.Or(c.Out, filepath.Join(os.TempDir(), "kassad-support-"+time.Now().Format("20060102-150405")+".zip"))
	ev := newEvidence(e, c)
	lang := c.language(os.Getenv)
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	rows := []supportRow{}
	for _, en := range entries {
		text, err := en.make(ev)
		row := supportRow{Name: en.name, About: newTalk(lang, nil, nil).of(en.ru, en.en)}
		if err != nil {
			text += "\n" + err.Error() + "\n"
			row.Error = ev.scrub.clean(err.Error())
		}
		text = ev.scrub.clean(text)
		row.Bytes = len(text)
		rows = append(rows, row)
		w, err := archive.CreateHeader(&zip.FileHeader{Name: en.name, Method: zip.Deflate, Modified: time.Now()})
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := secretfile.Create(out, buf.Bytes(), secretfile.Mode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return hinted{err: err, hint: "name another file with --out, or remove that one"}
		}
		return hinted{err: err, hint: "name a file in a folder that is there and that you may write to, with --out"}
	}
	return c.tell(e, lang, out, rows)
}

func (c *supportCommand) tell(e *env, lang, out string, rows []supportRow) error {
	if c.JSON {
		return printJSON(e.stdout, map[string]any{"file": out, "entries": rows})
	}
	t := newTable(e.stdout, "FILE", "BYTES", "WHAT")
	for _, r := range rows {
		about := r.About
		if r.Error != "" {
			about += " (" + r.Error + ")"
		}
		t.row(r.Name, fmt.Sprint(r.Bytes), about)
	}
	if err := t.flush(); err != nil {
		return err
	}
	newTalk(lang, nil, e.stdout).say("Архив: %s. Секреты и данные покупателей убраны; посмотрите сами, прежде чем отправить.",
		"The archive: %s. Secrets and data of buyers are taken out; look yourself before you send it.", out)
	return nil
}

// evidence is what the archive is made of.
type evidence struct {
	env   *env
	cmd   *supportCommand
	cfg   daemon.Config
	err   error // of the configuration
	scrub scrubber
}

func newEvidence(e *env, c *supportCommand) *evidence {
	ev := &evidence{env: e, cmd: c}
	ev.cfg, ev.err = daemon.LoadConfig(c.Config)
	secrets := ev.cfg.Secrets()
	for _, d := range ev.cfg.Devices {
		secrets = append(secrets, fmt.Sprint(d.Password))
	}
	ev.scrub = newScrubber(secrets)
	return ev
}
