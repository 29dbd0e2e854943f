package relay

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"kassad/mqtt"
)

// FuzzDoor lets strangers knock: what comes in has the form of a callback for
// a known node, and everything else is refused with a status of the list.
func FuzzDoor(f *testing.F) {
	f.Add("POST", goodPath, "application/json", []byte("{}"))
	f.Add("POST", "/lp"+goodPath, "", []byte(nil))
	f.Add("GET", "/healthz", "", []byte(nil))
	f.Add("POST", "/../acme/shop-1/main/1/"+token+"/~..", "a\nb", bytes.Repeat([]byte("x"), 100))
	f.Fuzz(func(t *testing.T, method, path, kind string, body []byte) {
		d, _, log := newDoor(func(c *DoorConfig) {
			c.Take = func(_ context.Context, topics mqtt.Topics, c mqtt.Callback) int {
				if _, ok := mqtt.ParseCallbackPath(c.Path); !ok || topics.Root() != "kassad/v1/acme/shop-1/main" || method != "POST" || len(c.Body) > mqtt.CallbackBodyMax {
					t.Errorf("let in %s %s %+v", method, topics.Root(), c)
				}
				if _, refusal := mqtt.DecodeCallback(mqtt.EncodeCallback(c)); refusal != nil {
					t.Errorf("cannot be passed on: %v", refusal)
				}
				return http.StatusOK
			}
		})
		r := &http.Request{
			Method: method, URL: &url.URL{Path: path}, Header: http.Header{"Content-Type": {kind}}, RemoteAddr: "192.0.2.1:1",
			ContentLength: int64(len(body)), Body: http.NoBody,
		}
		r.Body = readCloser{bytes.NewReader(body)}
		w := httptest.NewRecorder()
		d.answer(w, r)
		switch w.Code {
		case 200, 404, 405, 413, 415:
		default:
			t.Errorf("status %d", w.Code)
		}
		if strings.Contains(log.String(), token) {
			t.Errorf("the log tells a token: %s", log)
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
