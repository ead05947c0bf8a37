package mls

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The published test vectors are read from $SCONCE_VECTORS, or from a folder
// beside the repository. Each chapter's test file registers its checks in
// vectorTests; they run as TestVectors/<file>/<suite>/<case>.

var vectorTests = map[string]func(*testing.T){}

func TestVectors(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(vectorTests)) {
		t.Run(name, vectorTests[name])
	}
}

// vectorCases reads one file of the official vectors, such as "tree-math", or
// of those for partial MLS, such as "mls-pq/membership-proofs". It skips the
// test, saying why, where the vectors are absent.
func vectorCases[T any](t *testing.T, file string) []T {
	t.Helper()
	path := vectorPath(file)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no test vectors at %s: set SCONCE_VECTORS to their folder", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", path)
	}
	return cases
}

func vectorPath(file string) string {
	root := os.Getenv("SCONCE_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "vectors")
	}
	if pq, ok := strings.CutPrefix(file, "mls-pq/"); ok {
		return filepath.Join(root, "mls-pq", "test-vector-partial-"+pq+".json")
	}
	return filepath.Join(root, "mls", file+".json")
}

// vectorSuite is embedded in a case that names its suite.
type vectorSuite struct {
	CipherSuite uint16 `json:"cipher_suite"`
}

func (v vectorSuite) caseSuite() uint16 { return v.CipherSuite }

// pqVectorSuites maps the ids that the vectors for partial MLS give to suites
// of draft-ietf-mls-pq-ciphersuites onto ours.
var pqVectorSuites = map[uint16]CipherSuite{8: 0xFA02, 9: 0xFA04, 10: 0xFA05}

// eachVector runs check on every case of a file, as <suite>/<case>.
func eachVector[T interface{ caseSuite() uint16 }](t *testing.T, file string, check func(t *testing.T, s *suite, c T)) {
	bySuite := map[uint16][]T{}
	for _, c := range vectorCases[T](t, file) {
		bySuite[c.caseSuite()] = append(bySuite[c.caseSuite()], c)
	}
	for _, id := range slices.Sorted(maps.Keys(bySuite)) {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			s := suiteOfVector(t, file, id)
			for i, c := range bySuite[id] {
				t.Run(fmt.Sprint(i), func(t *testing.T) { check(t, s, c) })
			}
		})
	}
}

func suiteOfVector(t *testing.T, file string, id uint16) *suite {
	t.Helper()
	suite := CipherSuite(id)
	if ours, ok := pqVectorSuites[id]; ok && strings.HasPrefix(file, "mls-pq/") {
		suite = ours
	}
	if id == 4 || id == 6 {
		t.Skip("suites 4 and 6 (X448/Ed448) are not implemented on purpose")
	}
	return mustSuite(t, suite)
}

// hexBytes is a JSON string of hexadecimal digits; null gives nil.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*h = nil
	if s == nil {
		return nil
	}
	out, err := hex.DecodeString(*s)
	*h = out
	return err
}

// wantBytes reports a difference of a vector's field.
func wantBytes(t rapid.TB, what string, got, want []byte) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}
