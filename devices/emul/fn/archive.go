package fn

import (
	"slices"
	"time"

	"kassad/fiscal/ffd"
)

// Document finds a finished document.
func (s *Storage) Document(number uint32) (Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number == 0 || int(number) > len(s.st.Documents) {
		return Document{}, ErrNoData
	}
	return clone(s.st.Documents[number-1]), nil
}

// LastDocument is the newest document, if any.
func (s *Storage) LastDocument() (Document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.st.Documents)
	if n == 0 {
		return Document{}, false
	}
	return clone(s.st.Documents[n-1]), true
}

// TLV is the whole data of a document. After 30 days the items are gone
// (format reference 1.4).
func (s *Storage) TLV(number uint32, at time.Time) ([]byte, error) {
	d, err := s.Document(number)
	if err != nil {
		return nil, err
	}
	if at.Sub(d.Time) <= FullDocumentsKept {
		return d.Data, nil
	}
	fields, err := ffd.Decode(d.Data)
	if err != nil {
		return nil, ErrFailure
	}
	return ffd.Encode(slices.DeleteFunc(fields, func(f ffd.Field) bool { return f.Tag == ffd.TagItem })), nil
}

// RegistrationTag is one tag of the registration report.
func (s *Storage) RegistrationTag(tag ffd.Tag) ([]byte, error) {
	d, err := s.Document(1)
	if err != nil {
		return nil, err
	}
	fields, _ := ffd.Decode(d.Data)
	f, ok := ffd.Find(fields, tag)
	if !ok {
		return nil, ErrNoData
	}
	return ffd.Append(nil, f.Tag, f.Value), nil
}

// Room is what is left of the archive in documents.
func (s *Storage) Room() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.ArchiveMax - min(s.cfg.ArchiveMax, uint32(len(s.st.Documents)))
}

// CurrentSize is the size of the document in progress, in bytes.
func (s *Storage) CurrentSize() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.st.Current.Data)
}

// SetArchiveMax changes how many documents fill the archive.
func (s *Storage) SetArchiveMax(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.ArchiveMax = n
}
