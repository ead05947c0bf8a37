package bridge

import (
	"context"

	"sconce/client"
)

// Settings reads this person's choices.
var Settings = Method[None, client.Settings]{"settings", func(_ context.Context, c *client.Client, _ None) (client.Settings, error) {
	return c.Settings()
}}

// SetSettings changes them, and gives them as they are then. What is absent
// stays. Receipts and typing change on all of the person's devices.
var SetSettings = Method[client.SettingsChange, client.Settings]{"setSettings", func(_ context.Context, c *client.Client, p client.SettingsChange) (client.Settings, error) {
	return c.SetSettings(p)
}}
