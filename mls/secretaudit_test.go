package mls

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// secretHolders has every struct of the package in which key material is:
// [TestEveryStructWithSecretsIsKnown] finds those that are missing.
var secretHolders = map[string]any{
	"Group":             Group{},
	"KeyPackageSecrets": KeyPackageSecrets{},
	"Record":            Record{Secret: true},
	"Signer":            Signer{},
	"StagedCommit":      StagedCommit{},
	"CommitOptions":     CommitOptions{},
	"commitMaker":       commitMaker{},
	"epochSecrets":      epochSecrets{},
	"exporterTree":      exporterTree{},
	"frontierNode":      frontierNode{},
	"generationKey":     generationKey{},
	"groupSecrets":      groupSecrets{},
	"member":            member{},
	"messageKey":        messageKey{},
	"newPath":           newPath{},
	"openedLeaf":        openedLeaf{},
	"pastEpoch":         pastEpoch{},
	"pathSeal":          pathSeal{},
	"ratchet":           ratchet{},
	"record":            record{},
	"resumption":        resumption{},
	"secretTree":        secretTree{},
	"stagedRecord":      stagedRecord{},
	"stored":            stored{},
	"treeSecrets":       treeSecrets{},
	"workspace":         workspace{},
}

// TestEveryStructWithSecretsIsKnown reads the package's source: a struct has
// secrets if a field's type names Secret or a struct that has.
func TestEveryStructWithSecretsIsKnown(t *testing.T) {
	structs := map[string]*ast.StructType{}
	inspectSource(t, func(n ast.Node, _ token.Position) {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
	})
	has := map[string]bool{"Secret": true}
	for grown := true; grown; {
		grown = false
		for name, s := range structs {
			if !has[name] && namesAny(s, has) {
				has[name], grown = true, true
			}
		}
	}
	delete(has, "Secret")
	if len(has) < 15 {
		t.Errorf("only %d structs with secrets were found", len(has))
	}
	for name := range has {
		if _, ok := secretHolders[name]; !ok {
			t.Errorf("%s has secrets: embed hidden in it, and add it to secretHolders", name)
		}
	}
}

// inspectSource visits every node of the package's source but for its tests.
func inspectSource(t *testing.T, visit func(ast.Node, token.Position)) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if n != nil {
				visit(n, set.Position(n.Pos()))
			}
			return true
		})
	}
}

// namesAny reports whether a field's type names one of these types. What a
// function takes or gives is not in the struct.
func namesAny(s *ast.StructType, types map[string]bool) (found bool) {
	for _, field := range s.Fields.List {
		ast.Inspect(field.Type, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncType:
				return false
			case *ast.Ident:
				found = found || types[n.Name]
			}
			return true
		})
	}
	return found
}

const canary = "CANARY 7f of key material"

// canaryForms are the beginnings of the canary in the ways that values print.
var canaryForms = []string{"CANARY", "43414e415259", "43414E415259", "67 65 78 65 82 89", "67,65,78,65,82,89", "0x43, 0x41, 0x4e", "Q0FOQVJZ"}

// fill puts the canary into every secret that can be reached, and into every
// octet string and array in a struct that hides itself as a whole.
func fill(v reflect.Value, all bool, depth int) {
	if depth == 0 {
		return
	}
	if !v.CanSet() {
		v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		_, hides := reflect.PointerTo(v.Type()).MethodByName("Format")
		for i := range v.NumField() {
			// Exported fields are what JSON shows, and Secret only if secret.
			fill(v.Field(i), all || hides && !v.Type().Field(i).IsExported(), depth-1)
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem().PkgPath() == reflect.TypeFor[Secret]().PkgPath() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), all, depth-1)
		}
	case reflect.Slice:
		switch {
		case v.Type() == reflect.TypeFor[Secret](), all && v.Type() == reflect.TypeFor[[]byte]():
			v.SetBytes([]byte(canary))
		case v.Type().Elem().Kind() != reflect.Uint8:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), all, depth-1)
		}
	case reflect.Array:
		if all && v.Type().Elem().Kind() == reflect.Uint8 {
			reflect.Copy(v, reflect.ValueOf([]byte(canary)))
		}
	case reflect.Map:
		if v.Type().Elem() == reflect.TypeFor[Secret]() {
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.ValueOf(Secret(canary)))
		}
	}
}

func TestNoStructWithSecretsPrintsThem(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(secretHolders)) {
		t.Run(name, func(t *testing.T) {
			v := reflect.New(reflect.TypeOf(secretHolders[name]))
			v.Elem().Set(reflect.ValueOf(secretHolders[name]))
			fill(v.Elem(), false, 5)
			if r, ok := v.Interface().(*Record); ok {
				r.Value = []byte(canary) // which Record.Secret makes a secret
			}
			for _, x := range []any{v.Interface(), v.Elem().Interface()} {
				for _, out := range printed(t, x) {
					for _, form := range canaryForms {
						if strings.Contains(out, form) {
							t.Errorf("a %T prints as %.300s", x, out)
						}
					}
				}
			}
		})
	}
}

// TestACanaryIsSeen is the control of the test above.
func TestACanaryIsSeen(t *testing.T) {
	seen := 0
	for _, out := range printed(t, struct{ Key []byte }{[]byte(canary)}) {
		if slices.ContainsFunc(canaryForms, func(form string) bool { return strings.Contains(out, form) }) {
			seen++
		}
	}
	if n := len(printed(t, 0)); seen < n {
		t.Errorf("the canary is seen in %d of %d", seen, n)
	}
}

// printed gives x in all the ways in which one might print it.
func printed(t *testing.T, x any) (out []string) {
	for _, in := range []any{x, []any{x}, struct{ In any }{x}, map[string]any{"x": x}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out = append(out, fmt.Sprintf(verb, in))
		}
		encoded, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(encoded))
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("message", "x", in)
		out = append(out, log.String())
		log.Reset()
		slog.New(slog.NewJSONHandler(&log, nil)).Info("message", slog.Group("g", "x", in))
		out = append(out, log.String())
	}
	return out
}

// secretsIn finds every secret that a value leads to, by its first octet's place
// in memory, with the path to it.
func secretsIn(v any) map[*byte]foundSecret {
	out := map[*byte]foundSecret{}
	collect(reflect.ValueOf(v), fmt.Sprintf("%T", v), out, map[unsafe.Pointer]bool{})
	return out
}

type foundSecret struct {
	path   string
	secret Secret
}

func (f foundSecret) erased() bool { return f.secret.Equal(make(Secret, len(f.secret))) }

func collect(v reflect.Value, path string, out map[*byte]foundSecret, seen map[unsafe.Pointer]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.UnsafePointer()] || v.Type() == reflect.TypeFor[*PublicGroup]() {
			return
		}
		seen[v.UnsafePointer()] = true
		collect(v.Elem(), path, out, seen)
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), path+"."+v.Type().Field(i).Name, out, seen)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[Secret]() {
			if v.Len() > 0 {
				first := (*byte)(v.UnsafePointer())
				out[first] = foundSecret{path, unsafe.Slice(first, v.Len())}
			}
			return
		}
		for i := range v.Len() {
			collect(v.Index(i), path, out, seen)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collect(v.MapIndex(key), path+"[]", out, seen)
		}
	case reflect.Array:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				collect(v.Index(i), path, out, seen)
			}
		}
	}
}

// wantErased checks that each secret of before is erased, but those that the
// group still leads to, which may only be the resumption PSKs of past epochs.
func wantErased(t *testing.T, before map[*byte]foundSecret, g *Group) {
	t.Helper()
	after := secretsIn(g)
	for first, f := range before {
		switch _, kept := after[first]; {
		case f.erased():
		case !kept:
			t.Errorf("%s is dropped but not erased", f.path)
		case !strings.Contains(f.path, ".resumption."):
			t.Errorf("%s is still the group's", f.path)
		}
	}
}

func TestAnEpochIsErasedFromMemoryWhenItEnds(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		r := newRoom(t, suite, 3, Config{})
		r.agree() // so that ratchets are running
		r.propose(r.clients[1].Propose(&Update{}, nil))
		epochs := map[*client]map[*byte]foundSecret{}
		for _, c := range r.clients {
			if epochs[c] = secretsIn(c.Group); len(epochs[c]) < 15 {
				t.Fatalf("only %d secrets were found", len(epochs[c]))
			}
		}
		all := slices.Clone(r.clients)
		r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Remove{Removed: r.clients[2].Own()}}})
		for _, c := range all { // the committer, one who updated, and one who was removed
			wantErased(t, epochs[c], c.Group)
		}
		for _, f := range secretsIn(all[2].Group) {
			if !f.erased() {
				t.Errorf("who was removed has %s", f.path)
			}
		}
	})
}

func TestALostCommitIsErasedFromMemory(t *testing.T) {
	r := newRoom(t, DefaultSuite, 3, Config{})
	st, err := r.clients[0].Commit(CommitOptions{ForcePath: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	lost := secretsIn(st)
	if len(lost) < 10 {
		t.Fatalf("only %d secrets were found", len(lost))
	}
	st.Discard()
	for _, f := range lost {
		if !f.erased() {
			t.Errorf("%s is not erased", f.path)
		}
	}
}

func TestAMessageKeyIsErasedFromMemoryWithItsGeneration(t *testing.T) {
	r := newRoom(t, X25519AES128, 2, Config{})
	from, to := r.clients[0], r.clients[1]
	for range 3 {
		values := map[*byte]Secret{}
		for _, c := range r.clients {
			for first, f := range secretsIn(c.messages) {
				values[first] = slices.Clone(f.secret)
			}
		}
		b, err := from.Encrypt(nil, []byte("text"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Process(mustParse(t, b), now); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.clients {
			ratchet := c.messages.ratchets[ratchetID{from.Own(), applicationRatchet}]
			for first, before := range values {
				if first == &ratchet.secret[0] && before.Equal(ratchet.secret) {
					t.Error("a ratchet holds the secret of a generation that is over")
				}
			}
		}
	}
}

func TestDiscardingAMergedCommitDoesNoHarm(t *testing.T) {
	r := newRoom(t, X25519AES128, 3, Config{})
	st, err := r.clients[0].Commit(CommitOptions{ForcePath: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.clients[1:] {
		e, err := c.Process(mustParse(t, st.Message()), now)
		if err != nil {
			t.Fatal(err)
		}
		other := e.(*StagedCommit)
		if err := c.Merge(other); err != nil {
			t.Fatal(err)
		}
		other.Discard()
	}
	r.serve(st)
	if err := r.clients[0].Merge(st); err != nil {
		t.Fatal(err)
	}
	st.Discard()
	r.agree()

	gi := mustGroupInfo(t, r.clients[0].Group)
	c := r.newClient()
	join, err := JoinExternal(c.cfg, gi, r.server.Tree(), c.signer, ExternalOptions{}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.deliver(nil, join)
	if c.Group, err = join.Group(); err != nil {
		t.Fatal(err)
	}
	join.Discard()
	r.clients = append(r.clients, c)
	r.commit(c, CommitOptions{})
	r.agree()
}
