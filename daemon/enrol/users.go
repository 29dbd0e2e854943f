// Package enrol lets terminals in: it edits the users file and the
// configuration as a person would, line by line, and makes what a terminal is
// given.
package enrol

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
)

// UsersHeader begins a new users file.
const UsersHeader = "# Names of the embedded broker and what proves their passwords. kassad terminal add|remove keeps it.\n"

// Users are the names of a users file, in its order.
func Users(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name, ok := userOf(line); ok {
			names = append(names, name)
		}
	}
	return names
}

func userOf(line string) (string, bool) {
	line = strings.TrimSpace(line)
	name, _, found := strings.Cut(line, ":")
	return name, found && !strings.HasPrefix(line, "#")
}

// SetUser gives name the hash; the other lines stay as they are.
func SetUser(text, name, hash string) string {
	text, _ = RemoveUser(text, name)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + name + ":" + hash + "\n"
}

// RemoveUser takes name out.
func RemoveUser(text, name string) (rest string, was bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if user, ok := userOf(line); ok && user == name {
			was = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), was
}

// The letters of a password are those that nobody takes for another one.
const (
	passwordLetters = "abcdefghjkmnpqrstuvwxyz23456789"
	passwordGroups  = 4
	groupLetters    = 5
)

// Password makes one of 99 bits, to be typed once: abcde-fghjk-mnpqr-stuvw.
func Password() (string, error) {
	var groups []string
	for range passwordGroups {
		var g strings.Builder
		for range groupLetters {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(passwordLetters))))
			if err != nil {
				return "", fmt.Errorf("password: %w", err)
			}
			g.WriteByte(passwordLetters[n.Int64()])
		}
		groups = append(groups, g.String())
	}
	return strings.Join(groups, "-"), nil
}
