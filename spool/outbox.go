package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// linkBits is the low part of an outbox id: the number of its link.
const (
	linkBits = 16
	linkMax  = 1<<linkBits - 1
)

// Message is one publication that must reach the broker of a link.
type Message struct {
	ID      uint64 // given by Send, grows
	Link    string
	Topic   string
	Payload []byte
	Retain  bool
}

func codeMessage(c *coder, m *Message) {
	num(c, &m.ID)
	str(c, &m.Link)
	str(c, &m.Topic)
	c.bytes(&m.Payload)
	c.bool(&m.Retain)
}

// Send puts a message into the outbox. It stays there until Sent.
func (tx *Tx) Send(m Message) error {
	link, err := tx.linkNumber(m.Link)
	if err != nil {
		return err
	}
	n, err := tx.next(bucketOutbox)
	if err != nil {
		return err
	}
	m.ID = n<<linkBits | uint64(link)
	key := outboxKey(m.ID)
	return tx.put(bucketOutbox, key, seal(bucketOutbox, key, encode(&m, codeMessage)))
}

// Outbox lists what a link still has to send, oldest first, after an id.
func (tx *Tx) Outbox(link string, afterID uint64, limit int) ([]Message, error) {
	no, ok := tx.knownLink(link)
	if !ok {
		return nil, nil
	}
	var out []Message
	prefix := binary.BigEndian.AppendUint16(nil, no)
	c := tx.bucket(bucketOutbox).Cursor()
	k, v := c.Seek(outboxKey((afterID>>linkBits+1)<<linkBits | uint64(no)))
	for ; bytes.HasPrefix(k, prefix) && len(out) < limit; k, v = c.Next() {
		m, err := readMessage(k, v)
		if err != nil {
			return nil, err
		}
		if !tx.s.isSent(m.ID) {
			out = append(out, m)
		}
	}
	return out, nil
}

// OutboxCount counts the messages of all links that are not acknowledged.
func (tx *Tx) OutboxCount() (int, error) {
	n := 0
	c := tx.bucket(bucketOutbox).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !tx.s.isSent(tailNumber(k)) {
			n++
		}
	}
	return n, nil
}

// TrimOutbox gives up the oldest messages of a link that droppable allows, until
// at most keep are left or none may go. It tells how many went.
func (s *Spool) TrimOutbox(link string, keep int, droppable func(Message) bool) (dropped int, err error) {
	excess := 0
	if err := s.View(func(tx *Tx) error { excess = tx.outboxLen(link) - keep; return nil }); err != nil || excess <= 0 {
		return 0, err
	}
	err = s.Update(func(tx *Tx) error {
		dropped = 0
		for after := uint64(0); dropped < excess; {
			page, err := tx.Outbox(link, after, trimPage)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, m := range page {
				if after = m.ID; dropped == excess || !droppable(m) {
					continue
				}
				if err := tx.delete(bucketOutbox, outboxKey(m.ID)); err != nil {
					return err
				}
				dropped++
			}
		}
		return nil
	})
	return dropped, err
}

// trimPage bounds what TrimOutbox holds in memory.
const trimPage = 256

// outboxLen counts the messages of one link on disk.
func (tx *Tx) outboxLen(link string) (n int) {
	no, ok := tx.knownLink(link)
	if !ok {
		return 0
	}
	prefix := binary.BigEndian.AppendUint16(nil, no)
	c := tx.bucket(bucketOutbox).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		n++
	}
	return n
}

// OutboxLinks lists the links that have ever had a message, for one that the
// configuration no longer knows.
func (tx *Tx) OutboxLinks() []string {
	var out []string
	c := tx.bucket(bucketLinks).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		out = append(out, string(k))
	}
	return out
}

// outboxKey puts the link in front, so that each link's messages are together.
func outboxKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, uint16(id&linkMax)), id)
}

func (tx *Tx) knownLink(name string) (uint16, bool) {
	v := tx.bucket(bucketLinks).Get([]byte(name))
	if len(v) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(v), true
}

// linkNumber numbers a link when it first sends.
func (tx *Tx) linkNumber(name string) (uint16, error) {
	if no, ok := tx.knownLink(name); ok {
		return no, nil
	}
	n, err := tx.next(bucketLinks)
	if err != nil {
		return 0, err
	}
	if name == "" || n > linkMax {
		return 0, fmt.Errorf("send: %w: link %q is number %d", ErrInvalid, name, n)
	}
	return uint16(n), tx.put(bucketLinks, []byte(name), binary.BigEndian.AppendUint16(nil, uint16(n)))
}

func readMessage(key, framed []byte) (Message, error) {
	body, version, err := open(bucketOutbox, key, framed)
	if err != nil {
		return Message{}, err
	}
	m, err := decode(body, version, codeMessage)
	if err != nil {
		return Message{}, fmt.Errorf("read outbox %x: %w", key, err)
	}
	if !bytes.Equal(outboxKey(m.ID), key) {
		return Message{}, fmt.Errorf("read outbox %x: %w: its id is %d", key, ErrDamaged, m.ID)
	}
	return m, nil
}
