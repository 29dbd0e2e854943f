package link

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// holder sees nothing: Windows lets nobody else open a port, so that trying it
// harms nobody.
func holder(string) (string, bool) { return "", false }

// GetExtendedTcpTable of iphlpapi.h: a count, then rows of state, local address
// and port, remote address and port, 4 bytes each; addresses and the first two
// bytes of ports as on the wire.
var tcpTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")

const (
	tcpTableConnections = 1 // TCP_TABLE_BASIC_CONNECTIONS
	tcpTableRow         = 20
	tcpTableTries       = 5 // it may grow between two
	tcpSynSent          = 3 // MIB_TCP_STATE_SYN_SENT
	tcpEstablished      = 5 // MIB_TCP_STATE_ESTAB
)

func connected(at netip.AddrPort) bool {
	if tcpTable.Find() != nil || !at.Addr().Is4() {
		return false
	}
	size := uint32(16 << 10)
	for range tcpTableTries {
		table := make([]byte, size)
		got, _, _ := tcpTable.Call(uintptr(unsafe.Pointer(&table[0])), uintptr(unsafe.Pointer(&size)), 0, windows.AF_INET, tcpTableConnections, 0)
		switch windows.Errno(got) {
		case windows.ERROR_SUCCESS:
			return connectedIn(table, at)
		case windows.ERROR_INSUFFICIENT_BUFFER:
		default:
			return false
		}
	}
	return false
}

func connectedIn(table []byte, at netip.AddrPort) bool {
	count := int(binary.NativeEndian.Uint32(table))
	for i := range count {
		row := table[4+i*tcpTableRow:]
		state, ip := binary.NativeEndian.Uint32(row), netip.AddrFrom4([4]byte(row[12:16]))
		if (state == tcpEstablished || state == tcpSynSent) && at == netip.AddrPortFrom(ip, binary.BigEndian.Uint16(row[16:18])) {
			return true
		}
	}
	return false
}
