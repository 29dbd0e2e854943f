// Package service installs kassad as a service of Windows or systemd, and talks
// to the manager of services while it runs. It knows nothing of receipts.
package service
