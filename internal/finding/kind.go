package finding

import "io/fs"

// KindOf says what a file is if it is no regular one, such as "a named pipe". Of a
// regular one it is empty.
func KindOf(st fs.FileInfo) string {
	switch mode := st.Mode(); {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}
