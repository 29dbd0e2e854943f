package lifepay

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var hook = object{"callback_url": "http://shop/lp/3f9c"}

func TestCallback(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
		d := accepted(t, s, createReceipt, sale(hook, object{"ext_id": "a", "callback_data": object{"order": 1001}}))
		synctest.Wait()
		got := r.list()
		if len(got) != 1 {
			t.Fatalf("%d callbacks", len(got))
		}
		f := got[0].Fields
		want := map[string]any{
			"uuid": d.UUID, "error_code": 0.0, "status": "processed", "error_message": nil, "ext_id": "a", "fn": d.FN,
			"fd": float64(d.FD), "fp": float64(d.FP), "shift": 1.0, "receipt": 1.0, "at": d.At.Format(time.RFC3339),
			"ofd_url": "https://ofd.example/r/" + d.FN + "/" + number(d.FD) + "/" + number(d.FP),
		}
		for k, v := range want {
			if f[k] != v {
				t.Errorf("%s is %v, want %v", k, f[k], v)
			}
		}
		if data, ok := f["callback_data"].(map[string]any); !ok || data["order"] != 1001.0 {
			t.Errorf("callback_data %v", f["callback_data"])
		}
		if len(f) != len(want)+1 {
			t.Errorf("keys: %v", sortedKeys(f))
		}
	})
}

func TestCallbackOptions(t *testing.T) {
	t.Parallel()
	bare := []string{"error_code", "ofd_url", "uuid"}
	for _, tt := range []struct {
		name string
		opt  CallbackOptions
		form string
		test func(f map[string]any) bool
	}{
		{"urlencoded", CallbackOptions{Form: FormURLEncoded}, "application/x-www-form-urlencoded", func(f map[string]any) bool { return f["fn"] != nil }},
		{"json", CallbackOptions{Form: FormJSON}, "application/json", func(f map[string]any) bool { return f["fn"] != nil }},
		{"json data", CallbackOptions{Form: FormJSONData}, "application/json", func(f map[string]any) bool { _, text := f["data"].(string); return text }},
		{"bare", CallbackOptions{Bare: true}, "multipart/form-data", func(f map[string]any) bool { return slices.Equal(sortedKeys(f), bare) }},
		{"null", CallbackOptions{NullError: true}, "multipart/form-data", func(f map[string]any) bool { v, there := f["error_code"]; return there && v == nil }},
		{"text", CallbackOptions{FiscalAsText: true}, "multipart/form-data", func(f map[string]any) bool { _, text := f["fp"].(string); return text }},
		{
			"names", CallbackOptions{Keys: CallbackKeys{FD: "i", At: "-"}, Statuses: CallbackStatuses{Processed: "done"}}, "multipart/form-data",
			func(f map[string]any) bool {
				return f["i"] != nil && f["fd"] == nil && f["at"] == nil && f["status"] == "done"
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Options: Options{Callback: tt.opt}}, func(t *testing.T, s *Service, r *receiver) {
				accepted(t, s, createReceipt, sale(hook))
				synctest.Wait()
				if got := r.list(); len(got) != 1 || got[0].Form != tt.form || !tt.test(got[0].Fields) {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// The schedule of section 6.3: HTTP 200 alone stops it.
func TestCallbackSchedule(t *testing.T) {
	t.Parallel()
	all := []time.Duration{0, 1, 4, 9, 19, 79, 139, 199, 259, 319} // minutes
	lost := errors.New("connection refused")
	for _, tt := range []struct {
		name   string
		answer func(n int, r *http.Request) (int, error)
		count  int
		done   bool
	}{
		{"at once", nil, 1, true},
		{"201, 204, 302, then 200", func(n int, _ *http.Request) (int, error) { return []int{201, 204, 302, 200}[n-1], nil }, 4, true},
		{"never", func(int, *http.Request) (int, error) { return 500, nil }, 10, false},
		{"nobody there", func(int, *http.Request) (int, error) { return 0, lost }, 10, false},
		{"the last one", func(n int, _ *http.Request) (int, error) { return map[bool]int{true: 200, false: 503}[n == 10], nil }, 10, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
				r.answer = tt.answer
				start := time.Now()
				accepted(t, s, createReceipt, sale(hook))
				<-time.After(24 * time.Hour)
				got := r.list()
				if len(got) != tt.count {
					t.Fatalf("%d callbacks", len(got))
				}
				for i, h := range got {
					if at := h.At.Sub(start); at != all[i]*time.Minute {
						t.Errorf("callback %d after %v", i+1, at)
					}
				}
				c := s.Callbacks()
				if len(c) != 1 || len(c[0].Attempts) != tt.count || c[0].Done != tt.done || c[0].State != StateProcessed {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// Fault 16: a receiver that takes too long.
func TestCallbackTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
		r.answer = func(n int, req *http.Request) (int, error) {
			if n == 1 {
				<-req.Context().Done()
				return 0, req.Context().Err()
			}
			return 200, nil
		}
		start := time.Now()
		accepted(t, s, createReceipt, sale(hook))
		<-time.After(time.Hour)
		got := r.list()
		if len(got) != 2 || got[1].At.Sub(start) != 10*time.Second+time.Minute {
			t.Errorf("%+v", got)
		}
		if c := s.Callbacks(); c[0].Attempts[0].Error == "" || !c[0].Done {
			t.Errorf("%+v", c)
		}
	})
}

func TestDeliverNow(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
		r.answer = func(n int, _ *http.Request) (int, error) { return map[bool]int{true: 500, false: 200}[n == 1], nil }
		start := time.Now()
		accepted(t, s, createReceipt, sale(hook))
		synctest.Wait()
		s.DeliverNow()
		synctest.Wait()
		if got := r.list(); len(got) != 2 || time.Since(start) != 0 {
			t.Errorf("%d callbacks after %v", len(got), time.Since(start))
		}
	})
}

// A document that waits is no failure, whatever its error_code says.
func TestWaitingCallback(t *testing.T) {
	t.Parallel()
	for _, code := range []bool{false, true} {
		cfg := Config{Options: Options{Callback: CallbackOptions{WaitingCode: code}}}
		bubble(t, cfg, func(t *testing.T, s *Service, r *receiver) {
			setPrinter(t, s, PrinterOffline)
			post(t, s, createReceipt, sale(hook))
			synctest.Wait()
			got := r.list()
			if len(got) != 1 || got[0].Fields["status"] != "waiting_retry" || (got[0].Fields["error_code"] != 0.0) != code ||
				got[0].Fields["error_message"] == nil || got[0].Fields["fd"] != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestNoCallback(t *testing.T) {
	t.Parallel()
	bubble(t, Config{}, func(t *testing.T, s *Service, r *receiver) {
		accepted(t, s, createReceipt, sale())
		if got := post(t, s, createReceipt, sale(hook, object{"test": 1})); got.Code != 0 || got.UUID != "" {
			t.Errorf("%s", got.Text)
		}
		first := accepted(t, s, createReceipt, sale(hook, object{"ext_id": "a"}))
		if again := accepted(t, s, createReceipt, sale(hook, object{"ext_id": "a"})); again.UUID != first.UUID {
			t.Errorf("%s and %s", first.UUID, again.UUID)
		}
		<-time.After(time.Hour)
		if got := r.list(); len(got) != 1 {
			t.Errorf("%d callbacks", len(got))
		}
	})
}
