package main

import (
	"context"

	"sconce/api"
	"sconce/client"
)

// away is the transport of --offline: it sends nothing.
type away struct{}

var _ client.Transport = away{}

type awayError struct{}

func (awayError) Error() string     { return "this needs the server, and --offline was given" }
func (awayError) Unreachable() bool { return true }

func (away) Call(context.Context, string, []byte, []byte) ([]byte, error) { return nil, awayError{} }

func (away) Stream(context.Context, []byte, func(), func(*api.Push)) error { return awayError{} }
