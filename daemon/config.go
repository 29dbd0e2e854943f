package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"time"

	"github.com/pelletier/go-toml/v2"

	"kassad/daemon/strict"
	"kassad/devices"
	"kassad/devices/link"
	"kassad/fiscal"
)

// Config is the whole configuration: one strict TOML file, then KASSAD_*
// environment, then flags. The field names are the keys of the file.
type Config struct {
	Org     string `toml:"org"`
	Store   string `toml:"store"`
	Node    string `toml:"node"`
	DataDir string `toml:"data_dir"`

	LogLevel     string   `toml:"log_level"`
	LateAfter    Duration `toml:"late_after"`
	UnknownAfter Duration `toml:"unknown_after"`

	Broker    BrokerConfig              `toml:"broker"`
	Ports     PortsConfig               `toml:"ports"`
	MQTT      []LinkConfig              `toml:"mqtt"`
	Devices   []DeviceConfig            `toml:"device"`
	LifePay   *LifePayConfig            `toml:"lifepay"`
	BIFIT     *BIFITConfig              `toml:"bifit"`
	Routes    []RouteConfig             `toml:"route"`
	Reconcile ReconcileConfig           `toml:"reconcile"`
	Terminals map[string]TerminalConfig `toml:"terminal"`
	Managers  map[string]ManagerConfig  `toml:"manager"`
}

// BrokerConfig is the embedded broker.
type BrokerConfig struct {
	Enabled   bool   `toml:"enabled"`
	Listen    string `toml:"listen"`
	CertFile  string `toml:"cert_file"`
	KeyFile   string `toml:"key_file"`
	UsersFile string `toml:"users_file"`
}

// LinkConfig is a connection to a broker that is not ours.
type LinkConfig struct {
	URL            string `toml:"url"`
	Role           string `toml:"role"` // shop or office
	ClientID       string `toml:"client_id"`
	Username       string `toml:"username"`
	PasswordFile   string `toml:"password_file"`
	CAFile         string `toml:"ca_file"`
	CertFile       string `toml:"cert_file"`
	KeyFile        string `toml:"key_file"`
	AllowPlaintext bool   `toml:"allow_plaintext"`
}

// DeviceConfig is one register on a wire.
type DeviceConfig struct {
	Name      string          `toml:"name"`
	Kind      string          `toml:"kind"`
	Address   string          `toml:"address"` // of package link, or "auto"
	Serial    string          `toml:"serial"`  // of the printer; "" for any, or the one that is remembered
	Password  uint32          `toml:"password"`
	Taxation  fiscal.Taxation `toml:"taxation"`
	Mark      string          `toml:"mark"` // where our key goes: 1192, 1084, none
	AutoShift bool            `toml:"auto_shift"`
	TraceFile string          `toml:"trace_file"`
	Poll      Duration        `toml:"poll"`
	// UNVERIFIED facts of the family, each with the default of the vendor's
	// document.
	ItemTagsFirst bool     `toml:"item_tags_first"` // FF4D before its FF46: cash cores and mobiles
	QuietTime     Duration `toml:"quiet_time"`      // 0: the driver's own

	finder *devices.Finder // of the daemon that opens it
}

// TerminalConfig is what a terminal may do.
type TerminalConfig struct {
	Rights []string `toml:"rights"` // verbs; ["*"] for all
	Route  string   `toml:"route"`
	Device string   `toml:"device"`
}

// ManagerConfig is what a named person may do.
type ManagerConfig struct {
	Ops []string `toml:"ops"` // operations; ["*"] for all
}

// Roles of a link.
const (
	RoleShop   = "shop"
	RoleOffice = "office"
)

// Defaults of a device that the file does not name.
const (
	defaultPassword = 30
	defaultPoll     = Duration(2 * time.Second)
	defaultMark     = "1192"
)

// DefaultConfig is what holds when the file is silent.
func DefaultConfig() Config {
	return Config{
		Org: "local", Store: "shop", Node: "main", DataDir: defaultDataDir(),
		LogLevel:     "info",
		LateAfter:    Duration(24 * time.Hour),
		UnknownAfter: Duration(15 * time.Minute),
		Broker:       BrokerConfig{Enabled: true, Listen: "127.0.0.1:1883"},
		Reconcile:    defaultReconcile(),
	}
}

// LoadConfig reads and validates the file at path, then the environment.
func LoadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c, err := ParseConfig(text)
	if err != nil {
		return c, fmt.Errorf("config %s: %w", path, err)
	}
	c.applyEnv(os.Getenv)
	if err := errors.Join(c.Validate(), c.checkSecrets()); err != nil {
		return c, err
	}
	_, err = c.openClouds(nil, nil, slog.New(slog.DiscardHandler)) // what only the files can tell
	return c, err
}

// ParseConfig reads TOML over the defaults. An unknown key is an error that
// shows its line.
func ParseConfig(text []byte) (Config, error) {
	c := DefaultConfig()
	text = strict.WithoutMark(text)
	if err := strict.Decode(text, &c); err != nil {
		return c, err
	}
	auto := autoShifts(text)
	for i := range c.Devices {
		c.Devices[i].fill(auto[i])
	}
	c.LifePay.fill()
	c.BIFIT.fill()
	for i := range c.Routes {
		c.Routes[i].fill()
	}
	return c, nil
}

// autoShifts tells which devices leave auto_shift out: its default is true,
// which a plain bool cannot say.
func autoShifts(text []byte) map[int]bool {
	var probe struct {
		Device []struct {
			AutoShift *bool `toml:"auto_shift"`
		} `toml:"device"`
	}
	silent := map[int]bool{}
	if toml.Unmarshal(text, &probe) == nil {
		for i, d := range probe.Device {
			silent[i] = d.AutoShift == nil
		}
	}
	return silent
}

func (d *DeviceConfig) fill(autoShift bool) {
	if autoShift {
		d.AutoShift = true
	}
	if d.Password == 0 {
		d.Password = defaultPassword
	}
	if d.Poll == 0 {
		d.Poll = defaultPoll
	}
	if d.Mark == "" {
		d.Mark = defaultMark
	}
}

// applyEnv lets KASSAD_* win over the file for the keys that differ between
// machines with one image.
func (c *Config) applyEnv(getenv func(string) string) {
	for name, field := range map[string]*string{
		"KASSAD_ORG": &c.Org, "KASSAD_STORE": &c.Store, "KASSAD_NODE": &c.Node, "KASSAD_DATA_DIR": &c.DataDir,
		"KASSAD_LOG_LEVEL": &c.LogLevel, "KASSAD_BROKER_LISTEN": &c.Broker.Listen,
	} {
		if v := getenv(name); v != "" {
			*field = v
		}
	}
}

// Root is the topic root of this node.
func (c Config) Root() string { return "kassad/v1/" + c.Org + "/" + c.Store + "/" + c.Node }

var namePattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Validate reports all problems at once, with the user's names.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for key, name := range map[string]string{"org": c.Org, "store": c.Store, "node": c.Node} {
		if !namePattern.MatchString(name) {
			bad("%s = %q: a name is 1 to 32 of a-z, 0-9 and -", key, name)
		}
	}
	if !filepath.IsAbs(c.DataDir) {
		bad("data_dir = %q: give an absolute path", c.DataDir)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		bad("log_level = %q: debug, info, warn or error", c.LogLevel)
	}
	if !c.Broker.Enabled && len(c.MQTT) == 0 {
		bad("broker.enabled = false and no [[mqtt]]: terminals could not reach kassad; enable one of them")
	}
	errs = append(errs, c.validateDurations()...)
	errs = append(errs, c.Broker.validate()...)
	for i, l := range c.MQTT {
		errs = append(errs, l.validate(fmt.Sprintf("mqtt[%d]", i))...)
	}
	errs = append(errs, c.validateDevices()...)
	errs = append(errs, c.LifePay.validate(c)...)
	errs = append(errs, c.BIFIT.validate()...)
	errs = append(errs, c.validateRoutes()...)
	errs = append(errs, c.Reconcile.validate()...)
	errs = append(errs, c.validatePeople()...)
	sort.Slice(errs, func(i, j int) bool { return errs[i].Error() < errs[j].Error() })
	return errors.Join(errs...)
}

func (b BrokerConfig) validate() []error {
	if !b.Enabled {
		return nil
	}
	host, _, err := net.SplitHostPort(b.Listen)
	if err != nil {
		return []error{fmt.Errorf("broker.listen = %q: give host:port, such as 127.0.0.1:1883", b.Listen)}
	}
	if !isLoopback(host) && (b.CertFile == "" || b.KeyFile == "" || b.UsersFile == "") {
		return []error{fmt.Errorf("broker.listen = %q reaches beyond this computer: set broker.cert_file, broker.key_file and broker.users_file, or listen on 127.0.0.1", b.Listen)}
	}
	if (b.CertFile == "") != (b.KeyFile == "") {
		return []error{errors.New("broker: cert_file and key_file go together")}
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (l LinkConfig) validate(where string) []error {
	var errs []error
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || !slices.Contains([]string{"tcp", "ssl", "tls"}, u.Scheme) {
		return []error{fmt.Errorf("%s.url: give tcp://host:1883 or ssl://host:8883", where)}
	}
	if u.User != nil {
		return []error{fmt.Errorf("%s.url names a user, and urls are shown in logs: use %s.username and %s.password_file", where, where, where)}
	}
	if l.Role != RoleShop && l.Role != RoleOffice {
		errs = append(errs, fmt.Errorf("%s.role = %q: shop (terminals) or office (management)", where, l.Role))
	}
	if u.Scheme == "tcp" && !isLoopback(u.Hostname()) && !l.AllowPlaintext {
		errs = append(errs, fmt.Errorf("%s.url = %q sends passwords and sales in the clear: use ssl://, or set allow_plaintext = true if the network is yours alone", where, l.URL))
	}
	if (l.CertFile == "") != (l.KeyFile == "") {
		errs = append(errs, fmt.Errorf("%s: cert_file and key_file go together", where))
	}
	return errs
}

// Marks are the values of device.mark.
var marks = []string{"1192", "1084", "none"}

func (c Config) validateDevices() []error {
	var errs []error
	seen, ports := map[string]bool{}, map[string]string{}
	if len(c.Backends()) == 0 {
		errs = append(errs, errors.New("no [[device]], [lifepay] or [bifit]: name at least one register; kassad ports and kassad probe find it"))
	}
	for i, d := range c.Devices {
		where := fmt.Sprintf("device[%d] %q", i, d.Name)
		if !namePattern.MatchString(d.Name) || seen[d.Name] {
			errs = append(errs, fmt.Errorf("%s: a name is 1 to 32 of a-z, 0-9 and -, each once", where))
		}
		seen[d.Name] = true
		if d.Name == CloudLifePay || d.Name == CloudBIFIT || d.Name == DefaultRoute {
			errs = append(errs, fmt.Errorf("%s: this name means something else", where))
		}
		if other, taken := ports[d.Address]; taken && d.Address != devices.AddressAuto {
			errs = append(errs, fmt.Errorf("%s: address %q belongs to %q already", where, d.Address, other))
		}
		ports[d.Address] = d.Name
		if d.Kind != devices.KindShtrihM {
			errs = append(errs, fmt.Errorf("%s: kind = %q: this version drives %s", where, d.Kind, devices.KindShtrihM))
		}
		if _, err := link.Parse(d.Address); err != nil && d.Address != devices.AddressAuto {
			errs = append(errs, fmt.Errorf("%s: %w; give auto, serial:///dev/ttyACM0?baud=115200, serial://COM3, usb://serial-number or tcp://host:7778", where, err))
		}
		if !slices.Contains(marks, d.Mark) {
			errs = append(errs, fmt.Errorf("%s: mark = %q: 1192, 1084 or none", where, d.Mark))
		}
	}
	return append(errs, c.validatePrinters()...)
}

func (c Config) validatePeople() []error {
	var errs []error
	for name, t := range c.Terminals {
		if !namePattern.MatchString(name) {
			errs = append(errs, fmt.Errorf("terminal.%s: a name is 1 to 32 of a-z, 0-9 and -", name))
		}
		for _, v := range t.Rights {
			if v != "*" && fiscal.Verb(v).Class() == 0 {
				errs = append(errs, fmt.Errorf("terminal.%s.rights: there is no verb %q", name, v))
			}
		}
		if t.Device != "" && !c.hasBackend(t.Device) {
			errs = append(errs, fmt.Errorf("terminal.%s.device: there is no device %q", name, t.Device))
		}
		if _, ok := c.route(t.Route); t.Route != "" && !ok {
			errs = append(errs, fmt.Errorf("terminal.%s.route: there is no route %q", name, t.Route))
		}
	}
	for name, m := range c.Managers {
		for _, op := range m.Ops {
			if op != "*" && !slices.Contains(Operations, op) {
				errs = append(errs, fmt.Errorf("manager.%s.ops: there is no operation %q", name, op))
			}
		}
	}
	return errs
}

// WithDefaults fills what the file may leave out; auto_shift is on.
func (d DeviceConfig) WithDefaults() DeviceConfig {
	d.fill(true)
	return d
}

// Public is the configuration as others may see it: passwords of devices are
// masked, and files that hold secrets are named only.
func (c Config) Public() Config {
	c.Devices = slices.Clone(c.Devices)
	for i := range c.Devices {
		c.Devices[i].Password = 0
	}
	return c
}

// tree is Public with the keys of the file, for who reads it as JSON.
func (c Config) tree() (map[string]any, error) {
	text, err := toml.Marshal(c.Public())
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	devices, _ := tree["device"].([]any)
	for _, d := range devices {
		delete(d.(map[string]any), "password") // masked: 0 would look like a value
	}
	return tree, nil
}

// Fingerprint tells two configurations apart without showing them.
func (c Config) Fingerprint() string {
	text, err := toml.Marshal(c)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Settings is what package devices needs of d.
func (d DeviceConfig) Settings(log *slog.Logger) devices.Settings {
	return devices.Settings{
		Name: d.Name, Kind: d.Kind, Address: d.Address, Serial: d.Serial, Finder: d.finder, Password: d.Password, Mark: d.Mark, Taxation: d.Taxation,
		ItemTagsFirst: d.ItemTagsFirst, QuietTime: time.Duration(d.QuietTime), TraceFile: d.TraceFile, Log: log.With("device", d.Name),
	}
}
