/* SPDX-License-Identifier: MIT */
#include "tests/lib/store_faults.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

/* Our file, and behind it in the same memory the one of the true VFS. */
struct file {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs faulty_vfs;
static sqlite3_io_methods faulty_methods;
static struct store_faults_plan armed;
static uint32_t hits;
static uint32_t counts[STORE_FAULTS_CALLS];

void store_faults_arm(const struct store_faults_plan *plan)
{
	armed = plan ? *plan : (struct store_faults_plan){ 0 };
	hits = 0;
	memset(counts, 0, sizeof counts);
}

uint32_t store_faults_hits(void)
{
	return hits;
}

uint32_t store_faults_count(enum store_faults_call call)
{
	return counts[call];
}

/* What this call has to say instead of its work; SQLITE_OK: do it. */
static int fault(enum store_faults_call call)
{
	uint32_t index = counts[call]++;

	if (call != armed.call || index < armed.after || hits == armed.times)
		return SQLITE_OK;
	hits++;
	return armed.code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct file *)file)->real;
}

static int faulty_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 at)
{
	int code = fault(STORE_FAULTS_READ);

	return code ? code : real_of(file)->pMethods->xRead(real_of(file), bytes, length, at);
}

/* A write that fails has written half of it, as disks do. */
static int faulty_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
	int code = fault(STORE_FAULTS_WRITE);

	if (code == SQLITE_OK)
		return real_of(file)->pMethods->xWrite(real_of(file), bytes, length, at);
	(void)real_of(file)->pMethods->xWrite(real_of(file), bytes, length / 2, at);
	return code;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int code = fault(STORE_FAULTS_TRUNCATE);

	return code ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	int code = fault(STORE_FAULTS_SYNC);

	return code ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int faulty_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_reserved(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int faulty_control(sqlite3_file *file, int op, void *argument)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int faulty_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags,
		       int *out_flags)
{
	struct file *file = (struct file *)out;
	int code;

	(void)vfs;
	file->base.pMethods = NULL;
	file->real = (sqlite3_file *)(file + 1);
	code = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
	if (file->real->pMethods)
		file->base.pMethods = &faulty_methods;
	return code;
}

void store_faults_install(void)
{
	int code;

	real_vfs = sqlite3_vfs_find(NULL);
	assert(real_vfs);
	/* Version 1 is without shared memory and mapping, which an exclusive store does without. */
	faulty_methods = (sqlite3_io_methods){
		.iVersion = 1,
		.xClose = faulty_close,
		.xRead = faulty_read,
		.xWrite = faulty_write,
		.xTruncate = faulty_truncate,
		.xSync = faulty_sync,
		.xFileSize = faulty_size,
		.xLock = faulty_lock,
		.xUnlock = faulty_unlock,
		.xCheckReservedLock = faulty_reserved,
		.xFileControl = faulty_control,
		.xSectorSize = faulty_sector,
		.xDeviceCharacteristics = faulty_traits,
	};
	faulty_vfs = *real_vfs;
	faulty_vfs.pNext = NULL;
	faulty_vfs.zName = "faulty";
	faulty_vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
	faulty_vfs.xOpen = faulty_open;
	code = sqlite3_vfs_register(&faulty_vfs, 1);
	assert(code == SQLITE_OK);
	(void)code;
	store_faults_arm(NULL);
}
