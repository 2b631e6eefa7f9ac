package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// openBrowser opens address in the user's browser, detached from this process
// and without its standard streams, in a private window where that is wanted
// and the browser is known to have them. It fails where no browser is found, as
// in a session without a display.
func openBrowser(ctx context.Context, address string, private bool) error {
	commands := browserCommands(runtime.GOOS, os.Getenv, isWSL(), address)
	if private {
		commands = privately(commands)
	}
	return startFirst(ctx, commands)
}

// privately returns the commands with the browser's own flag for a private
// window, where it is known.
func privately(commands [][]string) [][]string {
	flags := map[string]string{
		"firefox": "--private-window", "firefox-esr": "--private-window", "librewolf": "--private-window",
		"chromium": "--incognito", "chromium-browser": "--incognito", "google-chrome": "--incognito",
		"google-chrome-stable": "--incognito", "brave-browser": "--incognito", "vivaldi": "--incognito",
		"microsoft-edge": "--inprivate", "microsoft-edge-stable": "--inprivate", "opera": "--private",
	}
	private := slices.Clone(commands)
	for i, command := range private {
		if flag := flags[filepath.Base(command[0])]; flag != "" && !slices.Contains(command, flag) {
			private[i] = slices.Insert(slices.Clone(command), 1, flag)
		}
	}
	return private
}

// startFirst starts the first of the commands that can be started.
func startFirst(ctx context.Context, commands [][]string) error {
	var failures []error
	for _, command := range commands {
		path, err := exec.LookPath(command[0])
		if err != nil {
			failures = append(failures, err)
			continue
		}
		// The browser lives on when the sign-in is over.
		cmd := exec.CommandContext(context.WithoutCancel(ctx), path, command[1:]...) //nolint:gosec // The command is the user's $BROWSER or one of a fixed list.
		detach(cmd)
		if err := cmd.Start(); err != nil {
			failures = append(failures, err)
			continue
		}
		go func() { _ = cmd.Wait() }() // Its exit status says nothing about the page.
		return nil
	}
	if failures == nil {
		return errors.New("there is no display to open a browser on")
	}
	return fmt.Errorf("no browser found: %w", errors.Join(failures...))
}

// browserCommands returns the commands to try, best first: those of $BROWSER, a
// list separated by colons in which %s stands for the address, then those of
// the system.
func browserCommands(goos string, getenv func(string) string, wsl bool, address string) [][]string {
	var commands [][]string
	separator := ":"
	if goos == "windows" {
		separator = ";"
	}
	for command := range strings.SplitSeq(getenv("BROWSER"), separator) {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if strings.Contains(command, "%s") {
			for i := range words {
				words[i] = strings.ReplaceAll(words[i], "%s", address)
			}
		} else {
			words = append(words, address)
		}
		commands = append(commands, words)
	}
	return append(commands, systemCommands(goos, getenv, wsl, address)...)
}

// systemCommands returns the system's own commands.
func systemCommands(goos string, getenv func(string) string, wsl bool, address string) [][]string {
	display := getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != ""
	switch {
	case goos == "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler", address}}
	case goos == "darwin":
		return [][]string{{"open", address}}
	case wsl:
		return [][]string{{"wslview", address}, {"rundll32.exe", "url.dll,FileProtocolHandler", address}}
	case display:
		return [][]string{{"xdg-open", address}, {"x-www-browser", address}}
	default:
		return nil
	}
}

// isWSL reports whether this is Linux on Windows, whose browser is that of
// Windows.
func isWSL() bool {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return err == nil && slices.ContainsFunc([]string{"microsoft", "wsl"}, func(mark string) bool {
		return bytes.Contains(bytes.ToLower(release), []byte(mark))
	})
}
