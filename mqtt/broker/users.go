package broker

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"kassad/mqtt"
)

const (
	usersMax          = 1024
	usersFileBytesMax = 256 << 10
	bcryptCost        = 10
	bcryptAtOnce      = 2 // 64 tills coming back together must not stop the printer
	cacheKeyBytes     = 32
)

// ErrUsersFile: a line of the users file cannot be read.
var ErrUsersFile = errors.New("users file")

// HashPassword makes the part after "name:" of a users file line.
func HashPassword(password mqtt.Secret) (string, error) {
	if password == "" {
		return "", errors.New("an empty password protects nothing")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password.Reveal()), bcryptCost)
	return string(hash), err
}

// users is the users file: name:$2a$10$… a line, # begins a comment. A changed
// file is read again at the next login; a broken one keeps the old names.
type users struct {
	path   string
	log    *slog.Logger
	busy   chan struct{}
	wrong  *guesses
	cache  []byte // key of the proofs, new in every process
	decoy  []byte // some name's hash, compared for unknown names, so that time does not tell them
	mu     sync.Mutex
	stamp  time.Time
	size   int64
	hashes map[string][]byte
	proofs map[string][sha256.Size]byte // of passwords that matched
}

func loadUsers(path string, log *slog.Logger) (*users, error) {
	u := &users{path: path, log: log, busy: make(chan struct{}, bcryptAtOnce), wrong: newGuesses(), cache: make([]byte, cacheKeyBytes)}
	_, _ = rand.Read(u.cache) // never fails (crypto/rand)
	return u, u.read()
}

// parseUsers reads the lines of a users file.
func parseUsers(r io.Reader) (map[string][]byte, error) {
	hashes := make(map[string][]byte)
	scanner := bufio.NewScanner(io.LimitReader(r, usersFileBytesMax))
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, _ := strings.Cut(line, ":")
		if !mqtt.ValidName(name) {
			// The line is not shown: without its colon it is a password, too.
			return nil, fmt.Errorf("%w: line %d does not begin with a name and a colon: %w", ErrUsersFile, n, mqtt.ErrName)
		}
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			// The line is not shown: it may hold a password in the clear.
			return nil, fmt.Errorf("%w: line %d: %s has no bcrypt hash (it begins with $2a$)", ErrUsersFile, n, name)
		}
		if _, twice := hashes[name]; twice {
			return nil, fmt.Errorf("%w: line %d: %s is there twice", ErrUsersFile, n, name)
		}
		hashes[name] = []byte(hash)
	}
	if err := scanner.Err(); err != nil { // a line that no name and hash can be
		return nil, fmt.Errorf("%w: %w", ErrUsersFile, err)
	}
	if len(hashes) > usersMax {
		return nil, fmt.Errorf("%w: %d names: at most %d", ErrUsersFile, len(hashes), usersMax)
	}
	return hashes, nil
}

func (u *users) read() error {
	f, err := os.Open(u.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsersFile, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsersFile, err)
	}
	u.stamp, u.size = info.ModTime(), info.Size()
	if info.Size() > usersFileBytesMax {
		return fmt.Errorf("%w: %s: larger than %d bytes", ErrUsersFile, u.path, usersFileBytesMax)
	}
	hashes, err := parseUsers(f)
	if err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	proofs := make(map[string][sha256.Size]byte)
	for name, proof := range u.proofs {
		if bytes.Equal(hashes[name], u.hashes[name]) { // its password is that of before
			proofs[name] = proof
		}
	}
	u.hashes, u.proofs = hashes, proofs
	for _, hash := range hashes {
		u.decoy = hash
		break
	}
	return nil
}

func (u *users) refresh() {
	info, err := os.Stat(u.path)
	if err == nil && info.ModTime().Equal(u.stamp) && info.Size() == u.size {
		return
	}
	if err == nil {
		err = u.read()
	}
	if err != nil {
		u.log.Error("users file, the names read before stay", "error", err)
		return
	}
	u.log.Info("users file read again", "names", len(u.hashes))
}

// verify checks a password. One that matched before is recognised by a keyed
// hash in memory: bcrypt costs 50 ms, more on a till.
func (u *users) verify(name string, password []byte, address string) bool {
	mac := hmac.New(sha256.New, u.cache)
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write(password)
	proof := [sha256.Size]byte(mac.Sum(nil))

	u.mu.Lock()
	u.refresh()
	hash, known := u.hashes[name]
	cached, proven := u.proofs[name]
	if !known {
		hash = u.decoy
	}
	u.mu.Unlock()
	if proven && hmac.Equal(cached[:], proof[:]) {
		return true
	}
	u.busy <- struct{}{}
	if !u.wrong.may(address, time.Now()) {
		<-u.busy
		return false
	}
	err := bcrypt.CompareHashAndPassword(hash, password)
	if err != nil || !known {
		u.wrong.failed(address, time.Now())
	}
	<-u.busy
	if err != nil || !known {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if bytes.Equal(u.hashes[name], hash) { // not changed in the meantime
		u.proofs[name] = proof
	}
	return true
}
