//go:build linux

package main

import (
	"context"
	"strings"
	"testing"
)

func TestWhatIsPromisedOfThePageIsMeasured(t *testing.T) {
	measured := map[string]bool{}
	for _, v := range visits {
		for _, f := range v.figures {
			measured[f.name] = true
		}
	}
	for _, goal := range targets {
		if strings.HasPrefix(goal.name, "page") && !measured[goal.name] {
			t.Errorf("nothing measures %q", goal.name)
		}
	}
}

func TestPageWithoutABrowserIsNotMeasured(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	o := measure(t.Context(), row{run: func(ctx context.Context) (*sample, error) { return (&pageBench{bench: &bench{}}).visit(ctx, visits[0]) }}, 1)
	if o.failure == nil || !strings.Contains(o.failure.Error(), "there is none") {
		t.Errorf("measured without a browser: %v", o.failure)
	}
}
