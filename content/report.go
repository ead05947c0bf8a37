package content

import "bytes"

// Report tells the others in a room how far its sender's devices have come in
// the room's log, and how far the sender has read it. Both are cumulative, and
// never go back.
type Report struct {
	Delivered uint64 // everything up to this place is on a device
	Read      uint64 // everything up to this place was seen; at most Delivered
}

// reportVersion is the first byte of an encoded Report.
const reportVersion = 1

// Reports is the message that carries a report.
func Reports(r Report) (*Message, error) {
	raw, err := r.encode()
	if err != nil {
		return nil, err
	}
	return &Message{Salt: NewSalt(), Body: single(Unspecified, TypeReport, raw)}, nil
}

func (r Report) encode() ([]byte, error) {
	if r.Read > r.Delivered {
		return nil, malformed("a report of reading to %d, and of having to %d", r.Read, r.Delivered)
	}
	return marshalVersioned(reportVersion, []any{r.Delivered, r.Read})
}

// DecodeReport reads a report. How far the log goes is the caller's to compare.
func DecodeReport(data []byte) (*Report, error) {
	body, err := checkVersioned("report", reportVersion, data, 1)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	l := readList("report", body)
	r.Delivered = l.uint("delivered", 1<<64-1)
	r.Read = l.uint("read", 1<<64-1)
	if err := l.end(); err != nil {
		return nil, err
	}
	again, err := r.encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) {
		return nil, malformed("report not in deterministic form")
	}
	return r, nil
}
