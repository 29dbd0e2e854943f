package link

import "golang.org/x/sys/windows/registry"

// deviceNames reads which driver made each port: COM3 → \Device\USBSER000.
func deviceNames() map[string]string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `HARDWARE\DEVICEMAP\SERIALCOMM`, registry.QUERY_VALUE)
	if err != nil {
		return nil // no port was ever made
	}
	defer key.Close()
	drivers, _ := key.ReadValueNames(0)
	names := map[string]string{}
	for _, driver := range drivers {
		if port, _, err := key.GetStringValue(driver); err == nil {
			names[port] = driver
		}
	}
	return names
}
