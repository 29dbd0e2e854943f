//go:build packages

package windows_test

import (
	"bytes"
	"encoding/binary"
)

// processPrng is a DLL whose only export, ProcessPrng, is advapi32's
// SystemFunction036 by another name, and so has no code at all. Go needs it at
// its start, and Wine before 9 has no bcryptprimitives.dll. Never shipped.
func processPrng() []byte {
	const rva, raw = 0x1000, 0x200 // of the one section, in memory and in the file
	text := map[string]uint32{}
	var names bytes.Buffer
	for _, s := range []string{"bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"} {
		text[s] = rva + 52 + uint32(names.Len())
		names.WriteString(s + "\x00")
	}
	size := uint32(52 + names.Len())
	var section bytes.Buffer
	put := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(b, binary.LittleEndian, v) // into memory
		}
	}
	// The export directory, then its three tables of one entry. An address within
	// the directory is a forward to another DLL.
	put(&section, uint32(0), uint32(0), uint32(0), text["bcryptprimitives.dll"], uint32(1), uint32(1), uint32(1), uint32(rva+40), uint32(rva+44), uint32(rva+48))
	put(&section, text["advapi32.SystemFunction036"], text["ProcessPrng"], uint32(0), names.Bytes())
	section.Write(make([]byte, raw-section.Len()))

	var file bytes.Buffer
	put(&file, [2]byte{'M', 'Z'}, [58]byte{}, uint32(64), [4]byte{'P', 'E'})
	// COFF: x86-64, one section, size of the optional header, a DLL.
	put(&file, uint16(0x8664), uint16(1), uint32(0), uint32(0), uint32(0), uint16(240), uint16(0x2022))
	// Optional: PE32+, no code, no entry, image base, alignments, versions, sizes.
	put(&file, uint16(0x20b), uint16(0), uint32(0), uint32(raw), uint32(0), uint32(0), uint32(rva), uint64(0x180000000), uint32(0x1000), uint32(raw))
	put(&file, [2]uint16{6, 0}, [2]uint16{}, [2]uint16{6, 0}, uint32(0), uint32(2*rva), uint32(raw), uint32(0), uint16(3), uint16(0x160))
	put(&file, uint64(1<<20), uint64(1<<12), uint64(1<<20), uint64(1<<12), uint32(0), uint32(16), uint32(rva), size, [15]uint64{})
	put(&file, [8]byte{'.', 'e', 'd', 'a', 't', 'a'}, size, uint32(rva), uint32(raw), uint32(raw), [3]uint32{}, uint32(0x40000040))
	file.Write(make([]byte, raw-file.Len()))
	return append(file.Bytes(), section.Bytes()...)
}
