/*
 * What a layer's entries become in the present root folder, which the program has shut itself into.
 *
 * An entry must name a place in it by plain parts, without ".."; so must what a hard link points
 * to. A leading "/" is the folder: some write their layers so. The way to it may go through a
 * symbolic link, as layers of images do, and then must end in a folder that is there. Symbolic
 * links themselves are a tree's content: here they mean what they will mean to the engine. Devices
 * are refused but in /dev, of which an engine gets one of ours; these, pipes and sockets are left
 * out. Set-uid bits and owners are dropped.
 */
#ifndef DBGUEST_VERSION_UNPACK_ENTRY_H
#define DBGUEST_VERSION_UNPACK_ENTRY_H

#include <stdbool.h>

struct archive;
struct archive_entry;
struct error;

/* In an image ".wh.NAME" takes away what a layer below has brought. */
bool unpack_entry(struct archive *archive, struct archive_entry *entry, bool image,
                  struct error *err);

#endif
