"""What the papers define: networks and objectives. No files, devices, logging or clocks."""
