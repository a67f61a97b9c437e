    AP_INIT_FLAG("SampleSwitch", set_switch, NULL, RSRC_CONF,
    AP_INIT_RAW_ARGS("<SampleBox", set_box, NULL, RSRC_CONF,
    AP_INIT_TAKE1(
      "SampleOld", set_old, NULL, RSRC_CONF,
