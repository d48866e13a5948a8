"""The bundled configurations; read them with `handpose.train.config.load`."""
