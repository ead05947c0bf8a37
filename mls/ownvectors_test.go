package mls

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the project's own vectors anew")

// The project's own vectors hold what one client that only listens receives:
// the published ones have no full story under the suites that matter here.
// They were written by this package, so they show that it stays compatible
// with itself: a change of any byte on the wire breaks them.
type ownVector struct {
	CipherSuite CipherSuite `json:"cipher_suite"`
	KeyPackage  hexBytes    `json:"key_package"`
	Secrets     hexBytes    `json:"key_package_secrets"`
	Welcome     hexBytes    `json:"welcome"`
	Tree        hexBytes    `json:"ratchet_tree"`
	Start       hexBytes    `json:"initial_epoch_authenticator"`
	Steps       []ownStep   `json:"steps"`
}

// ownStep is a message; a commit gives an authenticator, application data a
// plaintext and its sender.
type ownStep struct {
	Message       hexBytes  `json:"message"`
	Authenticator hexBytes  `json:"epoch_authenticator,omitempty"`
	Plaintext     hexBytes  `json:"plaintext,omitempty"`
	Sender        LeafIndex `json:"sender,omitempty"`
}

func (h hexBytes) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }

func ownVectorPath(suite CipherSuite) string {
	return filepath.Join("testdata", "vectors", fmt.Sprintf("own-0x%04X.json.gz", uint16(suite)))
}

func TestOwnVectors(t *testing.T) {
	everySuite(t, func(t *testing.T, suite CipherSuite) {
		if *update {
			writeOwnVector(t, suite)
		}
		checkOwnVector(t, readOwnVector(t, suite))
	})
}

func checkOwnVector(t *testing.T, v *ownVector) {
	kp, err := ParseKeyPackage(v.KeyPackage)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := ParseKeyPackageSecrets(v.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Join(Config{Rules: lastWins{}}, mustParse(t, v.Welcome), kp, secrets, v.Tree, now)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "initial epoch authenticator", g.EpochAuthenticator(), v.Start)
	for i, step := range v.Steps {
		e, err := g.Process(mustParse(t, step.Message), now)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		switch e := e.(type) {
		case *StagedCommit:
			if err := g.Merge(e); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			wantBytes(t, fmt.Sprintf("step %d: epoch authenticator", i), g.EpochAuthenticator(), step.Authenticator)
		case *ApplicationMessage:
			wantBytes(t, fmt.Sprintf("step %d: plaintext", i), e.Data, step.Plaintext)
			if e.Sender != step.Sender {
				t.Errorf("step %d: sender %d, want %d", i, e.Sender, step.Sender)
			}
		}
	}
}

// listener writes down what the last client of a room hears.
type listener struct {
	*room
	v *ownVector
}

func (l *listener) speak(c *client, text string) {
	b, err := c.Encrypt([]byte("authenticated"), []byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	l.v.Steps = append(l.v.Steps, ownStep{Message: b, Plaintext: []byte(text), Sender: c.Own()})
}

func (l *listener) hearProposal(b []byte, err error) {
	l.propose(b, err)
	l.v.Steps = append(l.v.Steps, ownStep{Message: b})
}

func (l *listener) hear(st *StagedCommit) {
	l.v.Steps = append(l.v.Steps, ownStep{Message: st.Message(), Authenticator: l.clients[0].EpochAuthenticator()})
}

func writeOwnVector(t *testing.T, suite CipherSuite) {
	r := newRoom(t, suite, 4, Config{})
	c := r.newClient()
	kp, secrets := c.kp, c.secrets
	st := r.commit(r.clients[1], CommitOptions{Proposals: []Proposal{&Add{kp}}})
	r.join(c, st)
	l := &listener{room: r, v: &ownVector{CipherSuite: suite, KeyPackage: kp.Bytes(), Secrets: hexBytes(secrets.Bytes()),
		Welcome: st.Welcome(), Tree: st.Tree(), Start: c.EpochAuthenticator()}}
	l.speak(r.clients[0], "first")
	l.speak(r.clients[2], "second")
	l.hear(r.commit(r.clients[0], CommitOptions{}))
	l.hear(r.commit(r.clients[3], CommitOptions{Proposals: []Proposal{&AppDataUpdate{Component: testComponent, Update: []byte("state")}}}))
	for i := range 3 {
		l.speak(r.clients[3], fmt.Sprintf("again %d", i))
	}
	l.hearProposal(r.clients[1].Propose(&SelfRemove{}, nil))
	l.hearProposal(r.clients[2].Propose(&Update{}, nil))
	l.hearProposal(r.externalProposal(&Remove{Removed: 0}))
	l.hear(r.commit(r.clients[3], CommitOptions{}))
	l.hear(r.commit(r.clients[0], CommitOptions{Proposals: []Proposal{&Add{r.newClient().kp}, &Add{r.newClient().kp}, &Add{r.newClient().kp}}}))
	l.hear(r.enter(r.newClient(), ExternalOptions{}))
	signer := newSigner(t, suite, "renewed")
	l.hear(r.commit(r.clients[0], CommitOptions{Signer: &signer}))
	l.speak(r.clients[0], "last")

	b, err := json.Marshal(l.v)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(ownVectorPath(suite)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ownVectorPath(suite), buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readOwnVector(t *testing.T, suite CipherSuite) *ownVector {
	t.Helper()
	f, err := os.Open(ownVectorPath(suite))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	v := &ownVector{}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
	return v
}
