package broker

import "time"

// Limits of the broker. 64 terminals, some managers and the daemon are a shop.
// docs/mqtt.md has them for whoever sets a shop up.
const (
	packetBytesMax      = 512 << 10 // twice a payload: what is too large gets an answer, not a closed connection
	connectionsMax      = 256
	daemonReserve       = 16  // connections beyond connectionsMax: the daemon's own door is never full
	addressMax          = 64  // connections of one address beyond this computer
	strangersMax        = 128 // connections that have not logged in
	strangersAddressMax = 16  // of one address beyond this computer
	userSessionsMax     = 16  // sessions of a name, those that are away included
	sessionsMax         = 512
	sessionKeepSeconds  = 7 * 24 * 3600
	subscriptionsMax    = 64 // of a session
	filterBytesMax      = 256
	inflightMax         = 2048 // unacknowledged messages kept for a session
	writesPendingMax    = 4096 // messages waiting for one connection
	receiveMax          = 256
	keptBytesMax        = 32 << 20 // of them for the daemon, counting those from keptLargeBytes on
	keptLargeBytes      = 4 << 10
	namePerSecond       = 200 // publishes and subscriptions of a name, over all of its connections
	nameBurst           = 256
	nameBytesPerSecond  = 1 << 20
	nameBytesBurst      = 4 << 20
	nameWaitMax         = 5 * time.Second // less than clients wait for the answer to a ping
	handshakeTime       = 10 * time.Second
	keepAliveSecondsMax = 1200 // half as much again without a packet, and the connection is closed
	publishersMax       = 1024
	sysTopicSeconds     = 24 * 3600
	protocolVersion     = 4 // 3.1.1
	qosMax              = 2
)

// Wrong passwords: each costs a computation that is slow on purpose, and the
// computer that prints pays it.
const (
	guessBurst     = 10
	guessPerSecond = 1
	guessersMax    = 1024
)
