//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes one outcome as lines of a terminal.
func (o outcome) print(w io.Writer) {
	if o.failure != nil {
		fmt.Fprintf(w, "%s: not measured: %v\n", o.row.what, o.failure)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range o.median.figures {
		fmt.Fprintf(t, "%-44s\t%s %s", f.name, number(f.value), f.unit)
		if goal, ok := targetOf(f.name); ok {
			fmt.Fprintf(t, "\t%s (reach %s, aim %s)", strings.Trim(goal.verdict(f.value), "*"), number(goal.reach), number(goal.aim))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	fmt.Fprintf(w, "    lost %d, twice %d%s\n", o.median.lost, o.median.duplicated, o.conditions())
}

// conditions is what the machine was like.
func (o outcome) conditions() string {
	var b strings.Builder
	if o.median.sync > 0 {
		fmt.Fprintf(&b, "; a sync took %v", o.median.sync.Round(time.Microsecond))
	}
	fmt.Fprintf(&b, "; others used %.2f cores", o.median.ambient)
	if o.median.driver > 0 {
		fmt.Fprintf(&b, ", the driver %.2f of its own", o.median.driver)
	}
	return b.String()
}

// section is a table of the report.
type section struct {
	title, before string
	after         string // what was tried, by hand
	rows          []outcome
	conditions    bool // worth telling beside each row
}

// driverIsLimit is the share of its core from which on a driver holds the
// server back.
const driverIsLimit = 0.83

// crowded is from how many cores on others make what takes time by the clock
// say little.
const crowded = 0.2

func (s section) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", s.title, s.before)
	if s.conditions {
		b.WriteString("| figure | measured | reach | aim | | lost, twice | sync | others | others' figures |\n|---|---|---|---|---|---|---|---|---|\n")
	} else {
		b.WriteString("| figure | measured | goal | |\n|---|---|---|---|\n")
	}
	for _, o := range s.rows {
		if o.failure != nil {
			continue
		}
		for _, f := range o.median.figures {
			s.line(b, o, f)
		}
	}
	if !s.conditions {
		var most float64
		for _, o := range s.rows {
			most = max(most, o.median.ambient)
		}
		fmt.Fprintf(b, "\nOthers used up to %.2f cores meanwhile.\n", most)
	}
	for _, o := range s.rows {
		if o.failure != nil {
			fmt.Fprintf(b, "\nNot measured: %s: %v.\n", o.row.what, o.failure)
		}
	}
	if s.after != "" {
		fmt.Fprintf(b, "\n%s\n", s.after)
	}
}

func (s section) line(b *strings.Builder, o outcome, f figure) {
	goal, promised := targetOf(f.name)
	reach, aim, verdict := "", "", ""
	if promised {
		reach, aim, verdict = number(goal.reach), number(goal.aim), goal.verdict(f.value)
	}
	measured := strings.TrimSpace(number(f.value) + " " + f.unit)
	if !s.conditions {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.name, measured, reach, verdict)
		return
	}
	if o.median.driver >= driverIsLimit && goal.more {
		measured += " †"
	}
	if o.median.ambient >= crowded && (goal.more || f.unit == "ms") {
		measured += " ‡"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d, %d | %d µs | %.2f | %s |\n", f.name, measured, reach, aim, verdict,
		o.median.lost, o.median.duplicated, o.median.sync.Microseconds(), o.median.ambient, goal.peer)
}

const introduction = `# Performance

What Sconce takes and gives, measured by ` + "`make bench`" + `, which wrote this page. Whoever doubts a number runs it again.

* Machine: %s.
* Each figure is %s. A **missed** goal is said to be missed.
* "sync" is how long the disk took to make 4 KiB durable at that moment, and "others" how many cores other programs used
  meanwhile. Rates and latencies are to be trusted only where others used next to nothing.
* † the driver's core was busy: the server could have done more.
* ‡ others used the cores: on a quiet machine it is better. CPU times suffer, too, but less.
`

const serverNotes = `One ` + "`sconced`" + ` as it is released, as a process of its own on one core, with SQLite, which has synced each message to disk before its
sender is answered. What drives it has another core. Every person joined by an invite, proved their device's key, and is in MLS groups
of suite 0xFA04 that were made by commits and Welcomes which the server checked; limits, membership and the memory of appends are in the
path. What is sent are PrivateMessages of 1,024 bytes of the groups' current epoch, over one WebSocket a device, without TLS where nothing
else is said. A message counts when its receiver has it, both devices have acknowledged it, and the server gives it to nobody any more;
acknowledgements are cumulative, one call of a device at a time. What it takes to erase its bytes, within a second of that, is counted in
CPU times and calls. A short run of storing and draining is over before much has gone from the tape into the tables: there a long one tells more. "Lost, twice" adds up over all runs and must be 0, 0: each message is held against what was
sent, and its place in the log against what the sender was answered. The peers' figures are from one core of the same kind, 1 KB, no TLS.`

const groupNotes = `CPU time on one core, garbage collection included. "Unmerged" is a group to which all were added at once and in which nobody has
committed since, the worst case for a commit; "filled" is the same group once members have. Growth is the CPU time for each member at 10,000 over
that at 1,000. "On two cores" is time by the clock on two cores over that on one. Allocations are of a message each, without reading its frame, and
include what the standard library makes inside a signature: nothing for Ed25519, 55 to sign and 19 to verify for ECDSA with P-256.`

const clientNotes = `The client that people run, with its store on disk, against a server in the same process: a device that was off while two others wrote in a room
fetches what it missed, checks the log's chain, decrypts, and stores each message and the used-up keys' erasure.`

const pageNotes = "`sconced`" + ` with the page that it carries, over HTTP, and Chromium on both cores, with the server and what drives the browser. Each
figure is itself a median: of five visits (three in a short run), each with a browser that was started a second before. "Page" is a browser with an empty profile
that follows an invite, until the field for a name has the focus and takes what is typed. "Page again" is a person whose profile has the page and one conversation,
in a browser that was started anew: until the field for the passphrase takes what is typed, and from Enter until the list is there, a conversation in it was clicked,
and the composer takes a text; "all of it" is both together. The hand-over is from the moment at which the page that leads is left until a message that was sent from
another tab at that moment is in the outbox.`

// writeReport writes the page.
func writeReport(path, machine string, runs int, sections []section) error {
	var b strings.Builder
	of := fmt.Sprintf("the median of %d runs", runs)
	if runs == 1 {
		of = "from one short run"
	}
	fmt.Fprintf(&b, introduction, machine, of)
	for _, s := range sections {
		if len(s.rows) > 0 {
			s.write(&b)
		}
	}
	b.WriteString(lessons)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
