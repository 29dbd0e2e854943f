package enrol

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Card is what a terminal needs to sell. It holds a password.
type Card struct {
	V        int    `json:"v"`   // 1
	URL      string `json:"url"` // ssl://192.168.1.5:8883
	Root     string `json:"root"`
	Name     string `json:"name"` // of the terminal in topics, and of the user
	Password string `json:"password"`
	CAFile   string `json:"ca_file,omitempty"`   // beside the card
	CASHA256 string `json:"ca_sha256,omitempty"` // of the authority's certificate, in hex
}

// CardVersion is that of the fields above.
const CardVersion = 1

// QR is the text of the card's QR code: the card without the name of a file
// that a camera cannot bring.
func (c Card) QR() (string, error) {
	c.CAFile = ""
	text, err := json.Marshal(c)
	return string(text), err
}

// File is the card as it is kept.
func (c Card) File() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	return append(text, '\n'), err
}

// ReadCard reads a card's file. CAFile is then a path.
func ReadCard(path string) (Card, error) {
	var c Card
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	switch {
	case err != nil:
		return c, fmt.Errorf("card %s: %w", path, err)
	case c.V != CardVersion || c.URL == "" || c.Root == "" || c.Name == "":
		return c, fmt.Errorf("card %s: not a terminal's, or of another version than %d", path, CardVersion)
	case c.CAFile != "" && !filepath.IsAbs(c.CAFile):
		c.CAFile = filepath.Join(filepath.Dir(path), c.CAFile)
	}
	return c, nil
}
