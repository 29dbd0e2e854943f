package sim

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"

	"kassad/fiscal"
)

// Faults of the matrix. What happens to a byte is named as link.FaultKind does;
// the rest is the matrix's own.
const (
	faultCut    = "cut"    // the connection is gone before the byte
	faultDrop   = "drop"   // the byte disappears
	faultDouble = "double" // it comes twice
	faultFlip   = "flip"   // a mask drawn from the seed
	faultTurn   = "turn"   // the mask that makes ACK of NAK and NAK of ACK
	faultLate   = "late"   // it comes when the reader has given up
	faultPower  = "power"  // the device, or the service, is gone before the byte
	faultKill   = "kill"   // the daemon is
)

// turnMask is what ACK (06h) and NAK (15h) differ by.
const turnMask = 0x06 ^ 0x15

// Places of a fault. Out is from who dials.
const (
	placeOut       = "out"       // bytes from the daemon to the backend
	placeIn        = "in"        // and back
	placeAgainOut  = "again-out" // the same when the connection has to be made anew
	placeAgainIn   = "again-in"
	placeCallOut   = "call-out" // a callback of a cloud, and its answer
	placeCallIn    = "call-in"
	placeBrokerOut = "broker-out" // from terminals, and from the daemon's own client, to the broker
	placeBrokerIn  = "broker-in"
	placeDisk      = "disk" // changes of the journal's files
)

// matrixCell is one fault at one place of one command.
type matrixCell struct {
	verb    fiscal.Verb
	backend string
	fault   string
	place   string
	k       int64 // byte of the place, from 0; of the disk: the change, from 1
}

// String is the cell's name, by which it can be run alone.
func (c matrixCell) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%d", c.verb, c.backend, c.fault, c.place, c.k)
}

// command runs the cell alone.
func (c matrixCell) command() string {
	seed := ""
	if s := os.Getenv(matrixSeed); s != "" {
		seed = matrixSeed + "=" + s + " "
	}
	return fmt.Sprintf("%sgo test ./daemon/sim -run '^TestMatrixCell$' -v -matrix %s", seed, c)
}

func parseCell(name string) (c matrixCell, err error) {
	part := strings.Split(name, "/")
	if len(part) != 5 {
		return c, fmt.Errorf("%q is not verb/backend/fault/place/k", name)
	}
	c = matrixCell{verb: fiscal.Verb(part[0]), backend: part[1], fault: part[2], place: part[3]}
	c.k, err = strconv.ParseInt(part[4], 10, 64)
	return c, err
}

// matrixSeed names the variable that makes other masks.
const matrixSeed = "MATRIX_SEED"

// mask is drawn from the seed and the cell's name: the same cell flips the same
// bits.
func (c matrixCell) mask() byte {
	if c.fault == faultTurn {
		return turnMask
	}
	h := fnv.New32a()
	fmt.Fprint(h, c, os.Getenv(matrixSeed))
	return byte(h.Sum32()%255 + 1)
}

// lane is what a cell shares with its neighbours, and the row of the table.
func (c matrixCell) lane() string { return string(c.verb) + "/" + c.backend }

// How a cell ends.
type matrixEnd string

const (
	endOnce      matrixEnd = "done at once"
	endRecovered matrixEnd = "done recovered"
	endRejected  matrixEnd = "rejected"
	endHeld      matrixEnd = "held"
)

// matrixResult is what became of a cell.
type matrixResult struct {
	cell       matrixCell
	end        matrixEnd
	held       fiscal.Code
	missed     bool // the command was over before the fault's place
	violations []string
}
