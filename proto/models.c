/* SPDX-License-Identifier: MIT */
#include "proto/models.h"

#include <stddef.h>

/* Objects of the SDK's type Capabilities: each part has a flag and, if it is there, what is known
 * of it for certain; else null.
 */
/* clang-format off */
#define MENTRA_LIVE \
	"{\"modelName\":\"Mentra Live\"," \
	"\"hasCamera\":true,\"camera\":{\"resolution\":{\"width\":1920,\"height\":1080}," \
	"\"video\":{\"canRecord\":true,\"canStream\":true,\"supportedStreamTypes\":[\"rtmp\"]," \
	"\"supportedResolutions\":[{\"width\":1280,\"height\":720}]}}," \
	"\"hasDisplay\":false,\"display\":null," \
	"\"hasMicrophone\":true,\"microphone\":{}," \
	"\"hasSpeaker\":true,\"speaker\":{}," \
	"\"hasIMU\":true,\"imu\":{\"hasAccelerometer\":true,\"hasGyroscope\":true}," \
	"\"hasButton\":true,\"button\":{}," \
	"\"hasLight\":true,\"light\":{}," \
	"\"power\":{\"hasExternalBattery\":false}," \
	"\"hasWifi\":true}"

#define SIMULATED_GLASSES \
	"{\"modelName\":\"Simulated Glasses\"," \
	"\"hasCamera\":false,\"camera\":null," \
	"\"hasDisplay\":true,\"display\":{\"count\":1}," \
	"\"hasMicrophone\":true,\"microphone\":{}," \
	"\"hasSpeaker\":true,\"speaker\":{}," \
	"\"hasIMU\":false,\"imu\":null," \
	"\"hasButton\":false,\"button\":null," \
	"\"hasLight\":false,\"light\":null," \
	"\"power\":{\"hasExternalBattery\":false}," \
	"\"hasWifi\":false}"

#define EVEN_REALITIES_G1 \
	"{\"modelName\":\"Even Realities G1\"," \
	"\"hasCamera\":false,\"camera\":null," \
	"\"hasDisplay\":true,\"display\":{\"count\":2,\"isColor\":false,\"color\":\"green\"," \
	"\"canDisplayBitmap\":true,\"resolution\":{\"width\":640,\"height\":200}}," \
	"\"hasMicrophone\":true,\"microphone\":{}," \
	"\"hasSpeaker\":false,\"speaker\":null," \
	"\"hasIMU\":true,\"imu\":{\"hasAccelerometer\":true}," \
	"\"hasButton\":false,\"button\":null," \
	"\"hasLight\":false,\"light\":null," \
	"\"power\":{\"hasExternalBattery\":true}," \
	"\"hasWifi\":false}"

#define VUZIX_Z100 \
	"{\"modelName\":\"Vuzix Z100\"," \
	"\"hasCamera\":false,\"camera\":null," \
	"\"hasDisplay\":true,\"display\":{\"count\":1,\"isColor\":false,\"color\":\"green\"," \
	"\"resolution\":{\"width\":640,\"height\":480}}," \
	"\"hasMicrophone\":false,\"microphone\":null," \
	"\"hasSpeaker\":false,\"speaker\":null," \
	"\"hasIMU\":false,\"imu\":null," \
	"\"hasButton\":false,\"button\":null," \
	"\"hasLight\":false,\"light\":null," \
	"\"power\":{\"hasExternalBattery\":false}," \
	"\"hasWifi\":false}"

#define LITERAL(bytes) { bytes, sizeof bytes - 1 }
static const struct model models[] = {
	{ .name = "Mentra Live", .has_camera = true, .has_wifi = true,
	  .capabilities = LITERAL(MENTRA_LIVE) },
	{ .name = "Simulated Glasses", .simulated = true, .capabilities = LITERAL(SIMULATED_GLASSES) },
	{ .name = "Even Realities G1", .capabilities = LITERAL(EVEN_REALITIES_G1) },
	{ .name = "Vuzix Z100", .capabilities = LITERAL(VUZIX_Z100) },
};
/* clang-format on */

const struct model *model_find(struct text name)
{
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
		if (text_is(name, models[i].name))
			return &models[i];
	return NULL;
}

struct text model_capabilities(struct text name)
{
	const struct model *model = model_find(name);

	return model ? model->capabilities : (struct text){ 0 };
}
