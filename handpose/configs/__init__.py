"""The bundled configurations; read them with `handpose.config.load`."""
