package arch

import (
	"slices"
	"strings"
)

// A Rule forbids arrows: no package that matches From may reach, through any
// chain of imports, a package that matches To and not Except. Imports of tests
// do not count, for a test of one side may well need the other.
//
// "{duty}" in a pattern stands for each folder directly under server in turn,
// the same in all three lists.
type Rule struct {
	From   []string
	To     []string
	Except []string
	GOOS   string // as built for this system; "" for the machine's own
	Why    string
}

// Rules is every arrow that may not be, with its reason.
var Rules = []Rule{
	{
		From:   []string{"./mls/..."},
		To:     []string{"..."},
		Except: []string{"./mls/...", "std", "golang.org/x/crypto/...", "golang.org/x/sys/cpu", "filippo.io/mldsa/..."},
		Why:    "who audits the protocol reads the protocol: it takes the standard library, x/crypto (which asks x/sys/cpu what the processor can do) and mldsa",
	},
	{
		From: []string{"./mls", "./identity", "./content", "./policy", "./room", "./api"},
		To:   []string{"./client/...", "./server/...", "./bot/...", "./cmd/..."},
		Why:  "both sides build on these; they build on neither",
	},
	{
		From:   []string{"./room"},
		To:     []string{"./..."},
		Except: []string{"./room", "./mls", "./identity"},
		Why:    "client and server must come to one verdict, so the rules of a room see only what both have",
	},
	{
		From:   []string{"./api/..."},
		To:     []string{"./..."},
		Except: []string{"./api/...", "./mls", "./identity"},
		Why:    "a contract has no behaviour; of ours it names only the types that travel",
	},
	{
		From: []string{"./server/...", "./cmd/sconced"},
		To:   []string{"./client/...", "./content/..."},
		Why:  "the server and its program cannot decrypt, by construction",
	},
	{
		From: []string{"./client/...", "./cmd/sconce", "./cmd/sconce-demo", "./cmd/sconce-wasm"},
		To:   []string{"./server/..."},
		Why:  "a client knows a server by its contract, like one that somebody else runs",
	},
	{
		From:   []string{"./server/{duty}/..."},
		To:     []string{"./server/..."},
		Except: []string{"./server/{duty}/..."},
		Why:    "duties meet only in server.go; a shared need is passed in as a small interface",
	},
	{
		From: []string{"./cmd/sconce/screen", "./cmd/sconce/page"},
		To:   []string{"./client/native/...", "./server/..."},
		Why:  "a screen talks to a door, whoever is behind the door",
	},
	{
		From: []string{"./client", "./client/wire/...", "./client/bridge/...", "./client/browser/...", "./cmd/sconce-wasm"},
		To: []string{"net/http/...", "crypto/tls/...", "crypto/x509/...", "github.com/coder/websocket/...",
			"google.golang.org/protobuf/...", "github.com/golang/protobuf/...", "github.com/gogo/protobuf/..."},
		GOOS: "js",
		Why:  "the browser downloads this; net/http alone doubles it, and the browser has its own TLS",
	},
}

// Check returns every forbidden arrow in the graph as the shortest chain of
// imports that makes it, and how many packages the rule was held against. None means that
// the rule says nothing about this tree yet.
func (r Rule) Check(g Graph) (chains [][]string, checked int) {
	for _, r := range r.bind(g) {
		for _, from := range g.matching(r.From...) {
			checked++
			g.walk(from, func(p Package, chain []string) bool {
				forbidden := matches(p, r.To) && !matches(p, r.Except)
				if forbidden {
					chains = append(chains, chain)
				}
				return !forbidden // what that one imports is no news
			})
		}
	}
	return chains, checked
}

// bind makes a rule about {duty} into one rule for each duty.
func (r Rule) bind(g Graph) []Rule {
	const variable = "{duty}"
	if !slices.ContainsFunc(r.From, func(p string) bool { return strings.Contains(p, variable) }) {
		return []Rule{r}
	}
	var duties []string
	for _, path := range g.matching("./server/...") {
		below, _ := strings.CutPrefix(path, module+"/server")
		duty, _, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
		if duty != "" && !slices.Contains(duties, duty) {
			duties = append(duties, duty)
		}
	}
	var bound []Rule
	for _, duty := range duties {
		replace := func(patterns []string) []string {
			patterns = slices.Clone(patterns)
			for i, p := range patterns {
				patterns[i] = strings.ReplaceAll(p, variable, duty)
			}
			return patterns
		}
		bound = append(bound, Rule{From: replace(r.From), To: replace(r.To), Except: replace(r.Except), GOOS: r.GOOS, Why: r.Why})
	}
	return bound
}

// String names the rule by where its arrows start.
func (r Rule) String() string {
	s := "from " + strings.Join(r.From, " ")
	if r.GOOS != "" {
		s += " on " + r.GOOS
	}
	return s
}
