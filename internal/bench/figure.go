//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// figure is one number that a run gives.
type figure struct {
	name  string // as in targets, if it has one
	unit  string
	value float64
}

// sample is one run of a row: its figures, and what the machine was like.
type sample struct {
	figures          []figure
	lost, duplicated int
	driver           float64 // share of its core that the driver used; 1: it was the limit
	ambient          float64 // cores that others used
	sync             time.Duration
}

// add puts a figure to a sample.
func (s *sample) add(name, unit string, value float64) {
	s.figures = append(s.figures, figure{name, unit, value})
}

// figure gives the value of a figure that the sample has.
func (s *sample) figure(name string) float64 {
	for _, f := range s.figures {
		if f.name == name {
			return f.value
		}
	}
	panic("bench: no figure " + name) // a name that this program mistyped
}

// target is what a figure is held against.
type target struct {
	name       string
	reach, aim float64
	more       bool   // more is better
	peer       string // what others need for the same
}

// verdict says how far a figure came.
func (t target) verdict(v float64) string {
	better := func(goal float64) bool {
		if t.more {
			return v >= goal
		}
		return v <= goal
	}
	switch {
	case !better(t.reach):
		return "**missed**"
	case better(t.aim):
		return "aim"
	}
	return "reached"
}

// number writes a number with three digits that mean something.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 1000:
		digits := math.Pow(10, math.Floor(math.Log10(a))-2)
		return thousands(int64(math.Round(v/digits) * digits))
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// row is one thing that is measured.
type row struct {
	name string // for -only
	what string
	once bool // a second run would tell nothing new
	run  func(ctx context.Context) (*sample, error)
}

// outcome is a row after its runs.
type outcome struct {
	row     row
	median  sample // each number for itself
	failure error  // the row gave nothing
}

// measure runs a row and takes the median of each of its figures. What was lost
// or came twice is added up: a median would hide it.
func measure(ctx context.Context, r row, runs int) outcome {
	if r.once {
		runs = 1
	}
	o := outcome{row: r}
	var samples []*sample
	for range runs {
		tidy()
		s, err := r.run(ctx)
		if err != nil {
			o.failure = err
			return o
		}
		samples = append(samples, s)
	}
	pick := func(of func(*sample) float64) float64 {
		var all []float64
		for _, s := range samples {
			all = append(all, of(s))
		}
		return median(all)
	}
	for i, f := range samples[0].figures {
		o.median.add(f.name, f.unit, pick(func(s *sample) float64 { return s.figures[i].value }))
	}
	o.median.driver = pick(func(s *sample) float64 { return s.driver })
	o.median.ambient = pick(func(s *sample) float64 { return s.ambient })
	o.median.sync = time.Duration(pick(func(s *sample) float64 { return float64(s.sync) }))
	for _, s := range samples {
		o.median.lost += s.lost
		o.median.duplicated += s.duplicated
	}
	return o
}

func median(all []float64) float64 {
	slices.Sort(all)
	n := len(all)
	if n%2 == 1 {
		return all[n/2]
	}
	return (all[n/2-1] + all[n/2]) / 2
}

// quantile gives the value below which a share q of the sorted durations lies.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
