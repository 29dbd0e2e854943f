package broker

import (
	"fmt"
	"testing"
)

// The oldest requests are forgotten one by one, and two senders of one request are
// nobody.
func TestPublishers(t *testing.T) {
	t.Parallel()
	p := newPublishers()
	for i := range publishersMax + 2 {
		p.add(fmt.Sprint(i), nil, "ivanov")
	}
	for i, known := range map[int]bool{0: false, 1: false, 2: true, 3: true, publishersMax - 1: true, publishersMax + 1: true} {
		if user, ok := p.find(fmt.Sprint(i), nil); ok != known || known && user != "ivanov" {
			t.Errorf("%d: %q, %v", i, user, ok)
		}
	}
	p.add("2", nil, "petrov")
	p.add("2", nil, "ivanov") // does not take it back
	if user, ok := p.find("2", nil); ok {
		t.Errorf("two have sent it: %q", user)
	}
	if _, ok := p.find("3", []byte("x")); ok {
		t.Error("another payload is known")
	}
}
