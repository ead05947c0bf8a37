package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestReportShowsFailuresSkipsAndCounts(t *testing.T) {
	const in = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"    a_test.go:1: chatter\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    a_test.go:2: got 1, want 2\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestAway/x","Output":"    a_test.go:3: no database\n"}
{"Action":"output","Package":"p","Test":"TestAway/x","Output":"    --- SKIP: TestAway/x (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestAway/x"}
{"Action":"skip","Package":"p","Test":"TestMute"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
{"Action":"output","Package":"q","Output":"PASS\n"}
{"Action":"output","Package":"q","Output":"ok  \tq\t0.1s\n"}
{"Action":"pass","Package":"q"}
`
	const want = `    a_test.go:2: got 1, want 2
--- FAIL: TestBad (0.00s)
FAIL
FAIL	p	0.1s
ok  	q	0.1s

skipped:
  p TestAway/x: a_test.go:3: no database
  p TestMute: no reason given

1 passed, 1 failed, 2 skipped
`
	if got := reported(t, in); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestReportShowsWhatWasCutShort(t *testing.T) {
	const in = `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a.go:1: broken\n"}
go: a word of its own
{"Action":"output","Package":"p","Test":"TestStuck","Output":"=== RUN   TestStuck\n"}
{"Action":"output","Package":"p","Test":"TestStuck","Output":"panic: test timed out\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t9s\n"}
{"Action":"fail","Package":"p"}
null
{"Action":`
	const want = `p/a.go:1: broken
go: a word of its own
panic: test timed out
FAIL	p	9s
null
{"Action":
0 passed, 0 failed, 0 skipped
`
	if got := reported(t, in); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func reported(t *testing.T, in string) string {
	t.Helper()
	var b strings.Builder
	out := bufio.NewWriter(&b)
	if err := report(out, strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
