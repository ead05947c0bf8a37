package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"sconce/client/native"
	"sconce/cmd/sconce/plain"
	"sconce/web"
)

const verifyWebUsage = `verify-web URL [--manifest FILE [--key KEY]… [--need N]]
Compare the page that a server serves with the one it should

Without --manifest the page of this very program is what the server should
serve. --manifest names another release's; with --key, at least N (all, if not
given) of these keys must have signed it, in FILE.sig. It tells what the server
serves to this caller now; run it from elsewhere and often.`

// webTimeout is for all files of a page.
const webTimeout = 5 * time.Minute

func verifyWeb(ctx context.Context, a *app, args []string) error {
	var trust releaseTrust
	fs := a.options()
	fs.StringVar(&trust.manifest, "manifest", "", "")
	fs.Func("key", "", trust.addKey)
	fs.IntVar(&trust.need, "need", 0, "")
	args, err := parse(fs, args, 1, 1)
	if err != nil {
		return err
	}
	m, err := trust.read()
	if err != nil {
		return err
	}
	c, err := a.plainClient()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	server, _, _ := strings.Cut(args[0], "#") // an invite's secret stays here
	differences, err := web.Compare(ctx, c, server, m)
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON(map[string]any{"build": m.Build(), "same": len(differences) == 0, "differences": append([]string{}, differences...)}); err != nil {
			return err
		}
	}
	if len(differences) > 0 {
		if !a.json {
			for _, d := range differences {
				fmt.Fprintln(a.out, plain.Line(d)) // the server has a say in what it holds
			}
		}
		return fmt.Errorf("%s does not serve build %s of the page: if it runs another release, compare with that release's manifest; if it should run this one, do not use its page",
			server, m.Build())
	}
	if !a.json {
		fmt.Fprintf(a.out, "%s serves build %s of the page: %d files, byte for byte, and the headers that confine them.\n", server, m.Build(), len(m.Files))
	}
	return nil
}

// releaseTrust says which manifest is believed, and why.
type releaseTrust struct {
	manifest string
	keys     []ed25519.PublicKey
	need     int
}

func (t *releaseTrust) addKey(s string) error {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return errors.New("a release key is 32 bytes in base64")
	}
	t.keys = append(t.keys, b)
	return nil
}

func (t *releaseTrust) read() (web.Manifest, error) {
	if t.manifest == "" {
		if len(t.keys) > 0 || t.need > 0 {
			return web.Manifest{}, badUsage("--key and --need are about a manifest: name it with --manifest FILE")
		}
		site, err := web.Embedded()
		if err != nil {
			return web.Manifest{}, err
		}
		return site.Manifest(), nil
	}
	raw, err := os.ReadFile(t.manifest)
	if err != nil {
		return web.Manifest{}, err
	}
	if len(t.keys) > 0 {
		if err := t.checkSignatures(raw); err != nil {
			return web.Manifest{}, fmt.Errorf("%s: %w", t.manifest, err)
		}
	} else if t.need > 0 {
		return web.Manifest{}, badUsage("--need counts signatures: say whose with --key KEY")
	}
	return web.ParseManifest(raw)
}

func (t *releaseTrust) checkSignatures(manifest []byte) error {
	raw, err := os.ReadFile(t.manifest + ".sig")
	if err != nil {
		return err
	}
	var s web.Signatures
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("reading its signatures: %w", err)
	}
	need := t.need
	if need == 0 {
		need = len(t.keys)
	}
	return s.Check(manifest, t.keys, need)
}

// plainClient makes an HTTP client that trusts what --ca says too, and follows
// no redirect.
func (a *app) plainClient() (*http.Client, error) {
	var ca []byte
	if a.caFile != "" {
		var err error
		if ca, err = os.ReadFile(a.caFile); err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
	}
	roots, err := native.RootsWith(ca)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:              http.ProxyFromEnvironment,
			TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots},
			DisableCompression: true, // the encoding asked for is part of the question
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
