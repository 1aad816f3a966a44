// PacketIO: ports, where frames come from and go to. Real ones (packet sockets, AF_XDP) and those of tests and replay
// (capture files, memory) are peers behind one protocol.
