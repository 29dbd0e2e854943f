package daemon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"kassad/daemon/relay"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

const (
	callbackSecretSize = 32
	callbackTokenBytes = 16 // of the HMAC

	metaCallbackSecret = "callback secret"
)

var callbackEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// callbackStore is what callbacks need of the journal.
type callbackStore interface {
	byID(id string) (fiscal.Record, bool, error)
	// hear moves a record by what its service has told about the document of
	// that key. Repeated, reordered and late news are its business.
	hear(id, device, key string, v fiscal.Verdict) (fiscal.Record, error)
}

// callbacks gives out the addresses at which LIFE PAY tells what became of a
// document, and takes what comes there. The service signs nothing (reference
// 6.2): only the token in the address counts, which is bound to the document's
// key and known to nobody else.
type callbacks struct {
	base   string // "": nothing is called back
	secret []byte
	store  callbackStore
	teller fiscal.Teller
	moved  func(fiscal.Record) // a record may have something to do for its worker
	fail   func(error)         // the store cannot be trusted any more
	log    *slog.Logger

	heard, refused, unreadable atomic.Uint64
	refusals                   relay.Sparse
}

// callbackSecret reads the secret behind the tokens, or makes one.
func callbackSecret(s *spool.Spool) (secret []byte, err error) {
	err = s.Update(func(tx *spool.Tx) error {
		secret = nil
		if _, err := tx.Meta(metaCallbackSecret, &secret); err != nil || len(secret) == callbackSecretSize {
			return err
		}
		secret = make([]byte, callbackSecretSize)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
		return tx.PutMeta(metaCallbackSecret, secret)
	})
	return secret, err
}

// url is the callback_url of a document, or "".
func (c *callbacks) url(doc fiscal.Document) string {
	if c.base == "" || doc.Stem == "" || doc.Edition >= mqtt.CallbackEditionMax {
		return ""
	}
	return c.base + mqtt.CallbackPath{Edition: doc.Edition + 1, Token: c.token(doc), ID: doc.ID}.String()
}

func (c *callbacks) token(doc fiscal.Document) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(doc.CloudKey()))
	return strings.ToLower(callbackEncoding.EncodeToString(mac.Sum(nil)[:callbackTokenBytes]))
}

// handle takes one callback and returns the HTTP status that answers it. path
// is {edition}/{token}/{id}.
//
// What is not proven to be about a document of ours is 404. A body that cannot
// be read is 200, as the receivers answer that the service knows: it would send
// the same again. After 500 it calls again, and that is wanted.
func (c *callbacks) handle(path, contentType string, body []byte) int {
	doc, status := c.recognize(path)
	if status != http.StatusOK {
		return status
	}
	verdict, err := c.teller.ReadCallback(contentType, body)
	if err != nil {
		c.unreadable.Add(1)
		c.log.Warn("callback cannot be read", "id", doc.ID, "content_type", contentType, "bytes", len(body), "err", err)
		return http.StatusOK
	}
	r, err := c.store.hear(doc.ID, CloudLifePay, doc.CloudKey(), verdict)
	var refusal *fiscal.Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == fiscal.CodeNotFound:
		return c.refuse("id") // forgotten just now
	case err != nil:
		return c.broken(doc.ID, err)
	}
	c.heard.Add(1)
	c.log.Info("called back", "id", doc.ID, "finding", verdict.Finding.String(), "state", string(r.State))
	c.moved(r)
	return http.StatusOK
}

// recognize finds the document that a path was given out for. An unknown id
// costs the same work as a wrong token.
func (c *callbacks) recognize(path string) (fiscal.Document, int) {
	p, ok := mqtt.ParseCallbackPath(path)
	if !ok {
		return fiscal.Document{}, c.refuse("form")
	}
	r, found, err := c.store.byID(p.ID)
	if err != nil {
		return fiscal.Document{}, c.broken(p.ID, err)
	}
	doc := r.Document
	doc.ID, doc.Edition = p.ID, p.Edition-1 // an earlier attempt's, perhaps
	genuine := hmac.Equal([]byte(c.token(doc)), []byte(p.Token))
	if !found || doc.Stem == "" || !genuine {
		return fiscal.Document{}, c.refuse("id or token")
	}
	return doc, http.StatusOK
}

// refuse counts what was not asked for, and tells of it now and then.
func (c *callbacks) refuse(why string) int {
	c.refused.Add(1)
	if more, ok := c.refusals.Allow(time.Now()); ok {
		c.log.Warn("callback refused", "why", why, "before", more)
	}
	return http.StatusNotFound
}

func (c *callbacks) broken(id string, err error) int {
	c.log.Error("callback not stored", "id", id, "err", err)
	if errors.Is(err, spool.ErrStore) {
		c.fail(fmt.Errorf("callback: %w", err))
	}
	return http.StatusInternalServerError
}
